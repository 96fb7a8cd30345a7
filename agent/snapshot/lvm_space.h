// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "snapshot/lvm_report.h"
#include "snapshot/provider.h"
#include "snapshot/store_policy.h"

namespace quiesced {

/// What is known of an origin that its store's size may depend on.
struct StoreFacts {
    std::optional<std::uint64_t> written; ///< bytes in the last hour
    std::optional<std::uint64_t> used;    ///< bytes in the file systems on it
    Bytes free_share;                     ///< of the volume group's free space
};

/// From which fill of a thin pool's data on no snapshot is taken.
inline constexpr double kThinPoolFullPercent = 95;
/// The same for its metadata: less where they are small. LVM makes no snapshot in a pool with less than 4 MiB of metadata free, or a quarter where
/// that is less (2.03.16, pool_metadata_min_threshold()).
double metadata_limit(const LogicalVolume& pool);

/// Size of the store for a snapshot of `origin`, in whole extents and at least three chunks: as the policy says, but never more than a store
/// can use; see largest_store().
Bytes store_size(const LogicalVolume& origin, const StorePolicy& policy, const StoreFacts& facts = {});

/// The largest store that a snapshot of `origin` can use: every chunk overwritten, and the tables of that; in whole extents.
Bytes largest_store(const LogicalVolume& origin, Bytes chunk = kDefaultChunk);

/// What has `size` with `percent` more: whole extents, at least one more, at most `most` in all and `free` in addition. `size` itself
/// where nothing can be added.
Bytes extended_size(Bytes size, unsigned percent, Bytes extent, Bytes free, Bytes most);

/// A snapshot that is to be made; `store` is 0 for a thin one.
struct PlannedSnapshot {
    LogicalVolume origin;
    std::string name;
    Bytes store;
    std::vector<std::string> volumes = {}; ///< Volume::name of the members that it serves
};

/// What all of them need at once, for each volume group and thin pool. `volumes` are all LVs of the groups concerned, pools
/// among them.
std::vector<SpaceNeed> space_needs(const std::vector<PlannedSnapshot>& planned, const std::vector<LogicalVolume>& volumes);

/// Whether there is room for all of them at once. Errors: no_space, which names the volume group or pool, what is needed and what is free; lvm_failed for a pool that has
/// failed.
Result<void> check_space(const std::vector<PlannedSnapshot>& planned, const std::vector<LogicalVolume>& volumes);

} // namespace quiesced
