// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "snapshot/provider.h"
#include "volumes/inventory.h"

namespace quiesced {

/// Why a provider does not take a volume.
struct Refusal {
    std::string provider;
    std::string reason; ///< a sentence without its full stop
};

/// A file system of the plan: a member, or one that is frozen along with it.
struct PlannedVolume {
    Volume volume;                      ///< where the requestor's name leads to none: only `name`, as given
    std::shared_ptr<Provider> provider; ///< null for a carried one
    int level = 0;                      ///< 0 is frozen first: lower ones hold the files that higher ones lie in
    bool carried = false;               ///< lies in a loop file on a member: frozen along, its snapshot is in the member's
    std::string inside;                 ///< carried: name of that member
    std::string chosen;                 ///< name of the provider that the requestor chose for it; empty for none
    std::string reason;                 ///< why this provider
    std::vector<Refusal> refusals;      ///< why not another one, in the order in which they are asked
    std::optional<Error> error;         ///< why it cannot be a member
};

/// Providers that the requestor chose, by the names of volumes as it gave them: nobody else is asked.
using ProviderChoice = std::map<std::string, std::string>;

/// What a set will do, decided before anything is touched.
struct SetPlan {
    std::vector<PlannedVolume> members; ///< in the requestor's order
    std::vector<PlannedVolume> carried;
    std::shared_ptr<const Inventory> inventory; ///< as it was when planned
};

/// Resolves the names, finds the provider of each and the order of freezing. The first provider that claims a volume gets
/// it (`providers` are in the order of plugins first); a volume of which a plugin could not say whether it is its own
/// goes to another plugin only. A name that cannot be a member is one with an `error`, which is as for plan_set(); it has
/// no level and carries nothing. No names: no members.
SetPlan plan_volumes(const std::vector<std::string>& names, std::shared_ptr<const Inventory> inventory,
                     const std::vector<std::shared_ptr<Provider>>& providers, const ProviderChoice& choice = {});

/// The same for all volumes that the inventory has; after the first kMostVolumes that could be members, the others are
/// refused (limit). `choice` goes by Volume::name.
SetPlan plan_all(std::shared_ptr<const Inventory> inventory, const std::vector<std::shared_ptr<Provider>>& providers,
                 const ProviderChoice& choice = {});

/// Errors: invalid_argument, for no volumes and for more than kMostVolumes.
Result<void> check_count(std::size_t volumes);

/// Errors: invalid_argument, for a choice that speaks of no volume in `names`.
Result<void> check_choice(const std::vector<std::string>& names, const ProviderChoice& choice);

/// The same for a set, which needs all of its members.
/// Errors: invalid_argument (no volumes, too many, a choice for none of them), and of the first member that has one: no_such_volume,
/// duplicate_volume, not_mounted, unsupported, loop_backing, plugin_missing, plugin_failed, no_provider, lvm_failed.
Result<SetPlan> plan_set(const std::vector<std::string>& names, std::shared_ptr<const Inventory> inventory,
                         const std::vector<std::shared_ptr<Provider>>& providers, const ProviderChoice& choice = {});

inline constexpr std::size_t kMostVolumes = 256; ///< in one set

} // namespace quiesced
