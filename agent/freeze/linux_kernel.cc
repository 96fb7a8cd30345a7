// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/linux_kernel.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
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

Result<void> LinuxRcuSwitch::prepare() {
    auto expedited = open_at(AT_FDCWD, directory_ + "/rcu_expedited", O_RDWR);
    // A kernel built with CONFIG_TINY_RCU has no such switch; the window is then as long as it is.
    if (!expedited && expedited.error().error_number == ENOENT) return {};
    if (!expedited) return pass(expedited);
    auto normal = open_at(AT_FDCWD, directory_ + "/rcu_normal", O_RDONLY);
    if (!normal) return pass(normal);
    expedited_ = std::move(*expedited);
    normal_ = std::move(*normal);
    return {};
}

namespace {

/// A sysfs integer, by an fd that was opened before; -1 when it cannot be read.
std::int32_t read_number(int fd) noexcept {
    std::array<char, 16> text{};
    if (::pread(fd, text.data(), text.size() - 1, 0) <= 0) return -1;
    return static_cast<std::int32_t>(std::strtol(text.data(), nullptr, 10));
}

int write_number(int fd, std::int32_t value) noexcept {
    std::array<char, 16> text{};
    const int length = std::snprintf(text.data(), text.size(), "%d\n", value);
    return ::pwrite(fd, text.data(), static_cast<std::size_t>(length), 0) == length ? 0 : errno;
}

} // namespace

std::int32_t LinuxRcuSwitch::expedite() noexcept {
    if (!expedited_ || read_number(normal_.get()) != 0) return -1;
    const auto old = read_number(expedited_.get());
    if (old != 0) return -1;
    return write_number(expedited_.get(), 1) == 0 ? old : -1;
}

int LinuxRcuSwitch::restore(std::int32_t value) noexcept {
    if (value < 0) return 0;
    if (!expedited_) return ENODEV;
    return write_number(expedited_.get(), value);
}

} // namespace quiesced
