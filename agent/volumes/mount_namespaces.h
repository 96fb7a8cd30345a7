// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "volumes/mountinfo.h"
#include "volumes/volume.h"

namespace quiesced {

/// Hands over the mount table of every mount namespace other than our own, each once, with the first process that
/// lives in it. A namespace that no process lives in (a bind mount or a descriptor keeps it) is not seen.
/// Nothing is kept open: a descriptor on such a table would keep the namespace and all its mounts alive. Reads below
/// PROC only, where no file system is asked for anything. A process that ends meanwhile is passed over; what cannot
/// be looked into goes to `problems`, in one sentence.
void scan_mount_namespaces(const std::string& proc,
                           const std::function<void(const MountProcess& process, std::string_view table)>& visit,
                           std::vector<std::string>& problems);

/// A mount of another namespace.
struct ForeignMount {
    MountEntry entry;
    MountProcess process;
    bool hidden = false;        ///< as in MountPoint
    bool behind_remote = false; ///< as in MountPoint
};

/// Adds to `found` the mounts of a table that are `wanted` by their superblock and file system type.
void find_foreign_mounts(const MountProcess& process, std::string_view table,
                         const std::function<bool(DeviceNumber superblock, std::string_view type)>& wanted,
                         std::vector<ForeignMount>& found);

} // namespace quiesced
