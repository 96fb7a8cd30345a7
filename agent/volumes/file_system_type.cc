// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/file_system_type.h"

#include <algorithm>
#include <array>

namespace quiesced {
namespace {

constexpr auto kNetwork = std::to_array<std::string_view>({
    "9p",        "acfs", "afs",    "beegfs", "ceph",   "cifs",     "coda",   "cvfs",     "davfs",
    "glusterfs", "gpfs", "lustre", "ncp",    "ncpfs",  "nfs",      "nfs4",   "orangefs", "panfs",
    "pvfs2",     "shfs", "smb3",   "smbfs",  "vboxsf", "virtiofs", "vmhgfs",
});

/// The part after "fuse."; other FUSE programs may be local or not, and are not to be trusted either way.
constexpr auto kNetworkFuse = std::to_array<std::string_view>({
    "ceph-fuse",
    "cephfs",
    "davfs2",
    "gcsfuse",
    "glusterfs",
    "juicefs",
    "mount.davfs",
    "rclone",
    "s3fs",
    "seaweedfs",
    "sshfs",
    "vmhgfs-fuse",
});

template <std::size_t Size>
bool contains(const std::array<std::string_view, Size>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

FileSystemClass classify_file_system(std::string_view type) {
    if (contains(kNetwork, type)) return {.network = true, .remote_answer = true};
    if (type.starts_with("fuse.")) return {.network = contains(kNetworkFuse, type.substr(5)), .remote_answer = true};
    // fuseblk has a block device, but a process answers for it all the same.
    if (type == "fuse" || type == "fuseblk" || type.starts_with("fuseblk.") || type == "autofs")
        return {.network = false, .remote_answer = true};
    return {};
}

} // namespace quiesced
