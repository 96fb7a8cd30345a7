// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "view/manifest_view.h"

namespace quiesced {

/// One mount of a member's snapshot.
struct SnapshotMount {
    std::string volume;      ///< name of the member
    std::string device;      ///< path of its snapshot
    std::string file_system; ///< as mount(2) wants it
    std::string path;        ///< where, from the folder of the set: "/srv/data"; "/" for the folder itself
    std::string root;        ///< what of the file system is shown there: "/", or a folder of it
    std::string options;     ///< of the file system, for mount(2); besides, every mount is read-only, nodev and nosuid
    /// The device is mounted through a writable layer of its own, which is thrown away, so that the snapshot stays as it was cut: its log
    /// has to be replayed, or (btrfs) its identity changed.
    bool layer = false;
};

/// A member that cannot be mounted.
struct UnmountableMember {
    std::string volume;
    std::string reason; ///< a sentence without its full stop
};

struct MountPlan {
    std::vector<SnapshotMount> mounts; ///< in this order: what lies in another one comes after it
    std::vector<UnmountableMember> left_out;
    bool base = true; ///< nothing is mounted on the folder of the set itself: it needs one with the others' mount points
};

/// How the members of a complete set are mounted: each where its origin was mounted, in one tree. One whose file system
/// was frozen needs no replay, and is mounted without where the file system can do that ("noload", "norecovery").
/// Errors: wrong_state (the set is not complete), invalid_argument (two members were mounted at the same path, as those of two
/// containers may be).
Result<MountPlan> plan_mounts(const ManifestView& set);

} // namespace quiesced
