// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "bus/bus_context.h"
#include "bus/dict.h"
#include "bus/reply.h"

namespace quiesced {

/// What a call needs before it may begin.
struct Permit {
    Action action = Action::inspect;
    std::initializer_list<std::string_view> options = {}; ///< that it knows beside "interactive"
    std::optional<uid_t> owner = {};                      ///< who never waits for polkit
};

/// Runs `work(caller)` on the bus's thread when its caller may; answers with the error else. The object may be gone when `work`
/// runs: it must not refer to it.
template <typename... Values, typename Work>
void when_permitted(BusContext& context, const sdbus::IObject& object, const Reply<Values...>& reply, const Dict& dict, const Permit& permit,
                    Work work) {
    const Options options(dict);
    if (auto known = options.only(permit.options); !known) return reply.error(known.error());
    const auto interactive = options.get(kInteractive, false);
    if (!interactive) return reply.error(interactive.error());
    context.authority.ask(object, {.action = permit.action, .interactive = *interactive || bus_caller_may_be_asked(object), .owner = permit.owner},
                          [reply, work = std::move(work)](const Result<Caller>& caller) {
                              if (!caller) return reply.error(caller.error());
                              work(*caller);
                          });
}

} // namespace quiesced
