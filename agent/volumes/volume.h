// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "volumes/disk.h"

namespace quiesced {

/// A process in whose mount namespace something is mounted that is not mounted in ours.
struct MountProcess {
    pid_t pid = 0;       ///< the lowest of the namespace's processes
    std::string command; ///< its name as the kernel keeps it, at most 15 bytes: "nginx"
};

/// One place where a file system can be seen.
struct MountPoint {
    std::string path;           ///< unescaped; as `process` sees it, if that is set
    std::uint64_t mount_id = 0; ///< as in mountinfo and statx(STATX_MNT_ID)
    std::string root;           ///< what of the file system is mounted: "/" for all of it
    bool read_only = false;
    bool hidden = false; ///< something is mounted over it: its path leads to another file system
    bool behind_remote = false; ///< its path leads through a network or FUSE mount: opening it may block for ever
    /// Set: it is not mounted in our own namespace, but in this process's.
    std::optional<MountProcess> process = std::nullopt;

    /// What to open to reach it: `path`, or "/proc/PID/root" and `path`. The process may have ended meanwhile, and its
    /// pid be another's: whoever opens it compares the mount id afterwards.
    [[nodiscard]] std::string open_path() const {
        return process ? "/proc/" + std::to_string(process->pid) + "/root" + path : path;
    }
};

/// Something that a set can contain: a file system (one superblock, however often it is mounted), or a block device
/// without one.
struct Volume {
    std::string name;        ///< shown to people: its shortest mount point that shows the root (of those
                             ///< that are not hidden and in our own namespace), else its device path
    DeviceNumber superblock; ///< as in mountinfo: st_dev of its files, but for btrfs an anonymous number that
                             ///< neither a block device nor its files have; the device's number if not mounted
    std::string file_system; ///< "ext4", "xfs", "btrfs", "tmpfs"; empty for a block device without one
    std::string uuid;        ///< of the file system; empty where unknown
    std::string label;
    std::vector<DeviceNumber> devices; ///< block devices that it lies on directly: one, or several (btrfs, xfs with
                                       ///< a log or rt device); none for tmpfs
    std::string device_path;        ///< of the first: "/dev/mapper/vg-lv"; the mount's source where there is no device
    std::vector<MountPoint> mounts; ///< best first: not hidden, showing the root, short. Empty: not mounted. Those
                                    ///< of other namespaces stand here only if it is not mounted in ours
    std::vector<MountPoint> overlays; ///< overlay mounts whose upper folder lies on it: what is written through them
                                      ///< is written to this volume. They cannot be frozen themselves
    std::vector<std::string> swap_files; ///< paths of active swap files on it
    Bytes size;                     ///< of the devices together
    Placement placement = Placement::none;
    std::vector<std::string> evidence; ///< why that placement
    std::vector<DeviceNumber> leaves;  ///< the disks at the bottom
};

} // namespace quiesced
