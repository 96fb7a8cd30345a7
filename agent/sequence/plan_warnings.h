// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/provider.h"
#include "volumes/inventory.h"

namespace quiesced {

/// Something that an admin should know before a set is taken.
struct PlanWarning {
    std::string key; ///< never changes; dbus/org.quiesced1.Manager.xml lists them
    std::string text;
    std::string advice;
    std::vector<std::string> volumes; ///< names of those concerned; none where it is the whole guest
};

/// Where the facts about the guest are; a test points these elsewhere.
struct HostPaths {
    std::string diskstats = "/proc/diskstats";
    std::string kernel_settings = "/proc/sys/kernel";
    std::string journal = "/var/log/journal"; ///< there only if the journal is persistent
    std::string lvm = "/etc/lvm";             ///< holds LVM's archive and backup of its metadata
};

/// What of the guest bears on a freeze.
struct HostFacts {
    std::string kernel; ///< release; empty where unknown
    bool hung_task_panic = false;
    std::chrono::seconds hung_task_timeout{120}; ///< 0: the kernel does not look
    const Volume* journal = nullptr;             ///< the volume it lies on; points into the inventory
    const Volume* lvm = nullptr;
};

/// What cannot be read is taken for unset: facts are for warnings only.
HostFacts read_host_facts(const HostPaths& paths, const Inventory& inventory);

/// Whether a release such as "5.15.0-91-generic" is older than major.minor. False for what is no release.
bool kernel_before(const std::string& release, unsigned major, unsigned minor);

/// A store that the writes of a member would fill soon.
struct StoreForecast {
    std::string volume;
    Bytes store;
    std::uint64_t write_rate = 0; ///< bytes a second
    std::chrono::seconds fills_in{0};
};

/// A member's store that fills sooner than this at the rate of the sample is warned of: no backup is over by then.
inline constexpr std::chrono::seconds kShortStoreLife = std::chrono::hours(1);
/// A thin pool is warned of this much before the fill from which on it is refused: its data from 80 % on.
inline constexpr double kThinPoolWarnBefore = 15;

/// `frozen`: members and carried volumes.
std::vector<PlanWarning> make_warnings(const HostFacts& host, const std::vector<const Volume*>& frozen, const Inventory& inventory,
                                       const std::vector<SpaceNeed>& space, const std::vector<StoreForecast>& stores);

} // namespace quiesced
