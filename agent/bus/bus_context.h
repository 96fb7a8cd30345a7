// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arrays/plugins.h"
#include "base/ids.h"
#include "bus/authority.h"
#include "bus/binding.h"
#include "bus/holds.h"
#include "bus/plan_calls.h"
#include "sequence/executor.h"
#include "sequence/set_manager.h"

namespace quiesced {

inline constexpr const char* kBusName = "org.quiesced1";
inline constexpr const char* kManagerPath = "/org/quiesced1";

inline std::string set_path(const SetId& set) { return std::string(kManagerPath) + "/set/" + set.text(); }

class Jobs;

/// What all objects on the bus share. The threads: handlers run on the bus's own one, which must never wait (the library
/// holds its lock in a handler); what can take long runs on `worker`, KeepAlive on `urgent`, each Plan and ListPlugins on one of `plans`; `events` alone creates and
/// destroys objects and sends signals and the answers that belong in order with them.
struct BusContext {
    std::string version;
    std::function<Result<void>()> reload; ///< may be empty
    sdbus::IConnection& connection;
    SetManager& manager;
    const Plugins& plugins;
    Authority& authority;
    Executor& events;
    Executor& worker;
    Executor& urgent;
    PlanCalls& plans;
    Holds& holds;
    Jobs* jobs; ///< on the events thread; null before serve() and after stop()
    std::function<void(const SetId&, std::shared_ptr<Binding>)> keep_binding; ///< any thread
    std::function<void(const std::vector<std::string>&)> publish_plugins;     ///< these and no others; on the events thread
};

} // namespace quiesced
