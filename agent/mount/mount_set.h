// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "mount/mount_plan.h"

namespace quiesced {

/// What was mounted, and where.
struct MountedSnapshot {
    std::string volume;
    std::string path;
    std::string device; ///< of its snapshot, as in the plan
};

/// Mounts all of a plan read-only below `folder`, which exists. What is not a member's is an empty read-only tmpfs with the
/// mount points in it, so that nothing is left in the folder afterwards. On error nothing stays mounted. Needs root.
/// Errors: busy (the set is mounted already), invalid_argument (no folder), no_such_volume (a mount point is missing in the snapshot
/// that it lies in), kernel, io; unsupported (btrfstune is missing or cannot give the copy an identity of its own).
Result<std::vector<MountedSnapshot>> mount_set(const SetId& set, const MountPlan& plan, const std::string& folder);

/// Unmounts whatever of a set is mounted in this mount namespace, and removes its layers; `devices` are the paths of its snapshots.
/// Returns the paths. None is no error. Errors: busy, which names the path; kernel.
Result<std::vector<std::string>> unmount_set(const SetId& set, const std::vector<std::string>& devices);

} // namespace quiesced
