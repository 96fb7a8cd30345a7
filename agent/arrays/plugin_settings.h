// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "arrays/plugin_records.h"

namespace quiesced {

/// Where the plugins' sockets are: NAME.sock each.
inline constexpr const char* kPluginDirectory = "/run/quiesced/plugins";

/// How long each method of a plugin may take, from the request to its answer.
struct PluginBudgets {
    std::chrono::milliseconds describe{5000}; ///< with connecting, and so with the start of the plugin by systemd
    std::chrono::milliseconds claim{15000};
    std::chrono::milliseconds prepare{120000};
    std::chrono::milliseconds commit{5000}; ///< the window's deadline may allow less
    std::chrono::milliseconds finish{120000};
    std::chrono::milliseconds abort{60000};
    std::chrono::milliseconds remove{120000}; ///< method `delete`
};

struct PluginSettings {
    std::string directory = kPluginDirectory;
    PluginBudgets budgets;
    std::string by_id = "/dev/disk/by-id";         ///< where udev links disks by their WWID
    std::chrono::milliseconds device_wait{10000}; ///< for the devices of a set's snapshots to appear after finish
    std::shared_ptr<PluginRecords> records;        ///< what the calls teach goes there; null: nowhere
};

} // namespace quiesced
