// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json.hpp>

#include "bus/sdbus_compat.h"

namespace quiesced {

/// The next argument of a message, whatever its type, and a step past it. Variants are what they hold; dictionaries are objects
/// (a key that is no text becomes its JSON text), arrays and structures are lists, 64-bit numbers stay whole, a file
/// descriptor is null. Throws sdbus::Error.
nlohmann::json read_json(sdbus::Message& message);

/// Calls a method with these arguments and waits for the answer: its first argument. Throws sdbus::Error.
template <typename... Arguments>
nlohmann::json call_for_json(sdbus::IProxy& proxy, const char* interface, const char* method, const Arguments&... arguments) {
    auto call = proxy.createMethodCall(BusInterfaceName(interface), BusMethodName(method));
    (call << ... << arguments);
    auto reply = proxy.callMethod(call);
    return read_json(reply);
}

} // namespace quiesced
