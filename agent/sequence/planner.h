// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "snapshot/provider.h"
#include "volumes/inventory.h"

namespace quiesced {

/// A file system of the plan: a member, or one that is frozen along with it.
struct PlannedVolume {
    Volume volume;
    std::shared_ptr<Provider> provider; ///< null for a carried one
    int level = 0;                      ///< 0 is frozen first: lower ones hold the files that higher ones lie in
    bool carried = false;               ///< lies in a loop file on a member: frozen along, its snapshot is in the member's
};

/// What a set will do, decided before anything is touched.
struct SetPlan {
    std::vector<PlannedVolume> members; ///< in the requestor's order
    std::vector<PlannedVolume> carried;
    std::shared_ptr<const Inventory> inventory; ///< as it was when planned
};

/// Resolves the names, finds the provider of each and the order of freezing. The first provider that claims a volume gets
/// it; volumes on LUNs alone are offered to plugins before others (`providers` are in the order of plugins first).
/// Errors: invalid_argument (no volumes, too many), no_such_volume, duplicate_volume, not_mounted, unsupported,
/// loop_backing, plugin_missing, plugin_failed, no_provider.
Result<SetPlan> plan_set(const std::vector<std::string>& names, std::shared_ptr<const Inventory> inventory,
                         const std::vector<std::shared_ptr<Provider>>& providers);

inline constexpr std::size_t kMostVolumes = 256; ///< in one set

} // namespace quiesced
