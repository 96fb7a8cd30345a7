// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/hook_marker.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/child.h"
#include "base/unique_fd.h"
#include "ctl/loop_device.h"

namespace quiesced {
namespace {

constexpr off_t kSize = 256L << 10;

/// A mount's device is another than that of the folder above it.
bool is_mounted(const std::string& path) {
    struct stat here {}, above {};
    return ::lstat(path.c_str(), &here) == 0 && ::lstat((path + "/..").c_str(), &above) == 0 && here.st_dev != above.st_dev;
}

} // namespace

Result<void> HookMarker::raise() const {
    lower();
    auto made = make();
    if (!made) lower();
    return made;
}

Result<void> HookMarker::make() const {
    const UniqueFd file(::open(image_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return fail_errno("cannot make " + image_, errno, ErrorKind::io);
    if (::ftruncate(file.get(), kSize) != 0) return fail_errno("cannot size " + image_, errno, ErrorKind::io);
    const auto made = run_child({"mkfs.ext4", "-q", "-F", "-b", "1024", "-N", "16", "-m", "0", "-O", "^has_journal,^resize_inode", image_});
    if (!made) return tl::unexpected<Error>(made.error());
    if (made->exit_status != 0) return fail(ErrorKind::io, "mkfs.ext4 could not make " + image_ + ": " + made->errors);
    const auto device = attach_loop(file.get());
    if (!device) return tl::unexpected<Error>(device.error());
    if (::mkdir(mount_point_.c_str(), 0700) != 0) return fail_errno("cannot make " + mount_point_, errno, ErrorKind::io);
    // Read-only, so that one that is left frozen holds up nobody; FIFREEZE does not mind.
    if (::mount(device->path.c_str(), mount_point_.c_str(), "ext4", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
        return fail_errno("cannot mount " + mount_point_);
    return {};
}

void HookMarker::lower() const {
    if (is_mounted(mount_point_)) {
        // A freeze would outlive the mount, and keep the loop device.
        const UniqueFd top(::open(mount_point_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        ::ioctl(top.get(), FITHAW, 0); // EINVAL: it is not frozen
    }
    ::umount2(mount_point_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    ::rmdir(mount_point_.c_str());
    ::unlink(image_.c_str());
}

} // namespace quiesced
