// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// The one place that knows how releases of sdbus-c++ differ: 1.2 (Debian 12) and 2.x (Debian 13). The 2.x headers have
// no version macro; VTableItems.h came with 2.0.
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sdbus-c++/sdbus-c++.h>
#include <systemd/sd-bus.h>
#if __has_include(<sdbus-c++/VTableItems.h>)
#define QUIESCED_SDBUS_MAJOR 2
#else
#define QUIESCED_SDBUS_MAJOR 1
#endif

namespace quiesced {

#if QUIESCED_SDBUS_MAJOR >= 2
using BusAsyncError = std::optional<sdbus::Error>; ///< of an answer that is called back with
using BusErrorName = sdbus::Error::Name;
using BusServiceName = sdbus::ServiceName;
using BusInterfaceName = sdbus::InterfaceName;
using BusMethodName = sdbus::MethodName;
#else
using BusAsyncError = const sdbus::Error*;
using BusErrorName = std::string;
using BusServiceName = std::string;
using BusInterfaceName = std::string;
using BusMethodName = std::string;
#endif

/// "system", "session" or a bus address such as "unix:path=/run/user/0/bus". Throws sdbus::Error.
inline std::unique_ptr<sdbus::IConnection> open_bus(const std::string& bus) {
    if (bus == "system") return sdbus::createSystemBusConnection();
    if (bus == "session") return sdbus::createSessionBusConnection();
    return sdbus::createSessionBusConnectionWithAddress(bus);
}

/// Unique name of the caller whose message is being handled; for the bus's thread, inside a handler.
inline std::string bus_caller(const sdbus::IObject& object) {
#if QUIESCED_SDBUS_MAJOR >= 2
    const auto message = object.getCurrentlyProcessedMessage();
    const char* sender = message.isValid() ? message.getSender() : nullptr;
    return sender == nullptr ? std::string() : std::string(sender);
#else
    const auto* message = object.getCurrentlyProcessedMessage();
    return message == nullptr ? std::string() : message->getSender();
#endif
}

/// User of that caller as the bus has authenticated it; nullopt when the caller is gone already. Likewise.
/// Not the real user id, for which the library looks into /proc: the process that connected from outside of a container ended then.
inline std::optional<std::uint32_t> bus_caller_uid(const sdbus::IObject& object) {
    try {
#if QUIESCED_SDBUS_MAJOR >= 2
        return object.getCurrentlyProcessedMessage().getCredsEuid();
#else
        const auto* message = object.getCurrentlyProcessedMessage();
        if (message == nullptr) return std::nullopt;
        return message->getCredsEuid();
#endif
    } catch (const sdbus::Error&) {
        return std::nullopt;
    }
}

/// The caller of the message that is being handled set ALLOW_INTERACTIVE_AUTHORIZATION on it, as systemctl and busctl do: polkit may ask
/// its user for a password meanwhile. Likewise.
inline bool bus_caller_may_be_asked(const sdbus::IObject& object) {
    // The library has no call for the flag, but lets its heirs have the message.
    struct Heir : sdbus::Message {
        static auto handle_of(const sdbus::Message& message) { return static_cast<sd_bus_message*>(message.*&Heir::msg_); }
    };
#if QUIESCED_SDBUS_MAJOR >= 2
    const auto message = object.getCurrentlyProcessedMessage();
    return message.isValid() && sd_bus_message_get_allow_interactive_authorization(Heir::handle_of(message)) > 0;
#else
    const auto* message = object.getCurrentlyProcessedMessage();
    return message != nullptr && sd_bus_message_get_allow_interactive_authorization(Heir::handle_of(*message)) > 0;
#endif
}

/// Calls back on the bus's thread for each message that matches, until the slot is gone.
template <typename Callback>
sdbus::Slot bus_match(sdbus::IConnection& connection, const std::string& match, Callback callback) {
    auto handler = [callback = std::move(callback)](auto&&) { callback(); };
#if QUIESCED_SDBUS_MAJOR >= 2
    return connection.addMatch(match, std::move(handler), sdbus::return_slot);
#else
    return connection.addMatch(match, std::move(handler));
#endif
}

/// The same with the message, to be read.
template <typename Callback>
sdbus::Slot bus_match_message(sdbus::IConnection& connection, const std::string& match, Callback callback) {
    auto handler = [callback = std::move(callback)](auto&& message) { callback(message); };
#if QUIESCED_SDBUS_MAJOR >= 2
    return connection.addMatch(match, std::move(handler), sdbus::return_slot);
#else
    return connection.addMatch(match, std::move(handler));
#endif
}

/// Type of a message's next argument, '\0' at the end of what was entered; and what that container holds. Throws sdbus::Error.
inline std::pair<char, std::string> bus_peek_type(const sdbus::Message& message) {
#if QUIESCED_SDBUS_MAJOR >= 2
    const auto [type, contents] = message.peekType();
    return {type, contents == nullptr ? std::string() : std::string(contents)};
#else
    std::string type;
    std::string contents;
    message.peekType(type, contents);
    return {type.empty() ? '\0' : type.front(), contents};
#endif
}

/// org.freedesktop.DBus.Properties.PropertiesChanged
inline void emit_properties_changed(sdbus::IObject& object, const char* interface, std::initializer_list<const char*> names) {
#if QUIESCED_SDBUS_MAJOR >= 2
    std::vector<sdbus::PropertyName> properties;
#else
    std::vector<std::string> properties;
#endif
    for (const auto* name : names) properties.emplace_back(name);
    object.emitPropertiesChangedSignal(interface, properties);
}

} // namespace quiesced
