// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/linux_kernel.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/file.h"

namespace quiesced {

int LinuxFreezeKernel::sync(int fd) noexcept { return ::syncfs(fd) == 0 ? 0 : errno; }

// freeze_super() waits for every writer without limit or signal, then syncs: after a syncfs just before there is little
// left to write, and what remains is three RCU grace periods (percpu_down_write).
int LinuxFreezeKernel::freeze(int fd) noexcept { return ::ioctl(fd, FIFREEZE, 0) == 0 ? 0 : errno; }

// Exactly once each: on kernels with nested freezes (about 6.8 on) EINVAL may mean "one of two references dropped", and a
// second call would take device-mapper's reference away.
int LinuxFreezeKernel::thaw(int fd) noexcept { return ::ioctl(fd, FITHAW, 0) == 0 ? 0 : errno; }

int LinuxFreezeKernel::identify(int fd, MountIdentity& identity) noexcept {
    struct statx status {};
    // STATX_MNT_ID: since Linux 5.8. AT_STATX_DONT_SYNC: never ask a server.
    if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &status) != 0) return errno;
    identity.superblock = {status.stx_dev_major, status.stx_dev_minor};
    identity.mount_id = (status.stx_mask & STATX_MNT_ID) != 0 ? status.stx_mnt_id : 0;
    return 0;
}

// btrfs_unfreeze() reads the superblock again to see whether somebody has written to the disk meanwhile, waits for it in a way
// that a fatal signal ends, and takes the EINTR for such a change: "super block on devid 1 got modified unexpectedly",
// errno -4, forced read-only (measured with dm-delay on 6.1.0-57; docs/kernel.md). Data that was written is safe.
bool LinuxFreezeKernel::killed_thaw_breaks(int fd) noexcept {
    struct statfs status {};
    return ::fstatfs(fd, &status) == 0 && static_cast<std::uint64_t>(status.f_type) == BTRFS_SUPER_MAGIC;
}

bool LinuxFreezeKernel::read_only(int fd) noexcept {
    struct statfs status {};
    return ::fstatfs(fd, &status) == 0 && (static_cast<std::uint64_t>(status.f_flags) & ST_RDONLY) != 0;
}

} // namespace quiesced
