// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

/// One line of /proc/PID/mountinfo, see proc_pid_mountinfo(5). Texts are unescaped bytes in no promised encoding.
struct MountEntry {
    std::uint64_t mount_id = 0;
    std::uint64_t parent_id = 0; ///< of a mount that is not listed, for the topmost one
    DeviceNumber device;         ///< the superblock's; for btrfs not the st_dev of its files
    std::string root;            ///< what of the file system is mounted; "net:[4026531840]" for a namespace
    std::string mount_point;     ///< absolute
    std::string options;         ///< of the mount: "rw,relatime"
    std::vector<std::string> optional_fields; ///< "shared:1", "master:2"; unknown ones too
    std::string file_system;                  ///< "ext4", "fuse.sshfs"
    std::string source;                       ///< "/dev/vda1", "server:/export"; may be empty
    std::string super_options;                ///< of the superblock: "rw,logdev=/dev/vdc"
};

/// A line that is no mountinfo.
struct MountLineError {
    std::size_t line = 0; ///< from 1
    std::string reason;   ///< "line 7 of the mount table has no mount point"
};

struct MountTable {
    std::vector<MountEntry> entries; ///< in the kernel's order: a mount comes after what it is mounted on
    std::vector<MountLineError> errors;
};

/// A mount namespace holds at most 100,000 mounts by default (fs.mount-max), of a few hundred bytes each.
inline constexpr std::size_t kLargestMountTable = 64U << 20U; ///< bytes

/// Parses the text of a mountinfo file. A line that cannot be understood costs that line only.
MountTable parse_mountinfo(std::string_view text);

/// Errors: kernel (cannot be read), limit (larger than 64 MiB).
Result<MountTable> read_mountinfo(const std::string& path);

/// Three octal digits after a backslash become the byte they stand for; any other backslash stays as it is.
std::string unescape_octal(std::string_view text);

/// The value of an option in a comma-separated list ("logdev" in "rw,logdev=/dev/vdc"), unescaped; empty if absent.
std::string option_value(std::string_view options, std::string_view name);
/// Whether a flag ("ro") is in a comma-separated list.
bool has_option(std::string_view options, std::string_view flag);

} // namespace quiesced
