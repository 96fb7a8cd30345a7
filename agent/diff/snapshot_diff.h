// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "diff/ranges.h"

namespace quiesced {

/// What is not the same in two snapshots of a volume, or in a snapshot and the volume as it is.
struct SnapshotDiff {
    std::uint64_t size = 0;  ///< of the devices, bytes
    std::uint64_t chunk = 0; ///< unit of the ranges, bytes
    std::vector<ByteRange> ranges;
};

struct DiffOptions {
    bool compare = true; ///< read what may differ; without, ranges may be among the result that are the same
};

/// `older` and `newer` are paths of active devices: LVM snapshots of one volume, both thick or both thin, or as `newer` the volume itself,
/// which may change while it is read. Needs root. Errors: unsupported (no such devices), invalid_argument (not of one volume),
/// no_space (a snapshot is lost), busy and others as thin_changes(), io, kernel.
Result<SnapshotDiff> diff_snapshots(const std::string& older, const std::string& newer, const DiffOptions& options = {});

} // namespace quiesced
