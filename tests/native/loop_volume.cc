// SPDX-License-Identifier: LGPL-2.1-or-later
#include "loop_volume.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/child.h"
#include "base/file.h"
#include "freeze/linux_kernel.h"
#include "volumes/mountinfo.h"

namespace quiesced {
namespace {

/// Bytes: the least that today's mkfs accepts, and a little more. All sparse.
off_t size_of(const std::string& type, unsigned mebibytes) {
    const off_t mebibyte = 1024 * 1024;
    return std::max(mebibytes, type == "xfs" ? 320U : type == "btrfs" ? 128U : 64U) * mebibyte;
}

Result<std::string> run(const std::vector<std::string>& argv) {
    auto outcome = run_child(argv);
    if (!outcome) return pass(outcome);
    if (outcome->exit_status != 0) return fail(ErrorKind::unsupported, argv[0] + " failed: " + outcome->errors);
    while (outcome->output.ends_with('\n')) outcome->output.pop_back();
    return outcome->output;
}

} // namespace

Result<std::unique_ptr<LoopVolume>> LoopVolume::create(const std::string& folder, const std::string& name, const std::string& type,
                                                       unsigned mebibytes) {
    std::unique_ptr<LoopVolume> volume(new LoopVolume); // house-allow(new): private constructor, owned at once
    volume->name_ = name;
    volume->type_ = type;
    volume->image_ = folder + "/" + name + ".img";
    volume->mount_point_ = folder + "/" + name;
    auto image = open_at(AT_FDCWD, volume->image_, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!image) return pass(image);
    if (::ftruncate(image->get(), size_of(type, mebibytes)) != 0) return fail_errno("cannot size " + volume->image_);
    std::vector<std::string> mkfs{"mkfs." + type, "-q", volume->image_};
    // Nothing is left for the kernel to write in its own time.
    if (type == "ext4") mkfs.insert(mkfs.begin() + 1, {"-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"});
    if (auto made = run(mkfs); !made) return pass(made);
    auto device = run({"losetup", "--find", "--show", volume->image_});
    if (!device) return pass(device);
    volume->device_ = *device;
    if (auto made = make_directories(volume->mount_point_); !made) return pass(made);
    if (::mount(device->c_str(), volume->mount_point_.c_str(), type.c_str(), 0, nullptr) != 0) {
        auto error = fail_errno("cannot mount " + *device);
        static_cast<void>(run({"losetup", "--detach", *device}));
        return error;
    }
    volume->mounts_.push_back(volume->mount_point_);
    // Detached while it is mounted, it goes away with the last mount.
    if (auto detached = run({"losetup", "--detach", *device}); !detached) return pass(detached);
    return volume;
}

LoopVolume::~LoopVolume() {
    if (mounts_.empty()) return;
    static_cast<void>(thaw()); // EINVAL: it was not frozen
    for (auto mount = mounts_.rbegin(); mount != mounts_.rend(); ++mount)
        if (::umount2(mount->c_str(), 0) != 0) ::umount2(mount->c_str(), MNT_DETACH);
}

Result<std::string> LoopVolume::mount_again(bool bind) {
    auto path = mount_point_ + "-" + std::to_string(mounts_.size());
    if (auto made = make_directories(path); !made) return pass(made);
    const auto& source = bind ? mount_point_ : device_;
    if (::mount(source.c_str(), path.c_str(), type_.c_str(), bind ? MS_BIND : 0, nullptr) != 0)
        return fail_errno("cannot mount " + source + " again");
    mounts_.push_back(path);
    return path;
}

Result<void> LoopVolume::let_go_of_first_mount() {
    if (::umount2(mounts_.front().c_str(), 0) != 0) return fail_errno("cannot unmount " + mounts_.front());
    mounts_.erase(mounts_.begin());
    mount_point_ = mounts_.front();
    return {};
}

Result<void> LoopVolume::check_own(int fd) const {
    const auto refuse = [this] { return fail(ErrorKind::internal, "refused: that is not the test's own " + device_); };
    struct stat file {};
    struct stat device {};
    struct statfs kind {};
    if (::fstat(fd, &file) != 0 || ::stat(device_.c_str(), &device) != 0 || ::fstatfs(fd, &kind) != 0)
        return fail_errno("cannot examine " + device_);
    const auto number = DeviceNumber::from(device.st_rdev);
    if (!S_ISBLK(device.st_mode) || number.major != 7) return refuse(); // 7: loop devices (admin-guide/devices.txt)
    const auto backing = read_attribute_at(AT_FDCWD, "/sys/dev/block/" + number.text() + "/loop/backing_file");
    if (!backing || *backing != image_) return refuse();
    if (kind.f_type != BTRFS_SUPER_MAGIC) {
        if (file.st_dev != device.st_rdev) return refuse();
        return {};
    }
    // btrfs numbers its subvolumes itself: the mount with that id has to be of the loop device.
    MountIdentity identity;
    if (const int error = LinuxFreezeKernel().identify(fd, identity); error != 0) return fail_errno("cannot identify the descriptor", error);
    const auto table = read_mountinfo("/proc/self/mountinfo");
    if (!table) return fail(ErrorKind::io, table.error().message());
    for (const auto& entry : table->entries)
        if (entry.mount_id == identity.mount_id && entry.file_system == "btrfs" && entry.source == device_) return {};
    return refuse();
}

Result<PlannedMember> LoopVolume::member(int level) const {
    auto fd = open_at(AT_FDCWD, mount_point_, O_RDONLY | O_DIRECTORY);
    if (!fd) return pass(fd);
    if (auto own = check_own(fd->get()); !own) return pass(own);
    MountIdentity identity;
    if (const int error = LinuxFreezeKernel().identify(fd->get(), identity); error != 0)
        return fail_errno("cannot identify " + mount_point_, error);
    return PlannedMember{.name = mount_point_, .mount_path = mount_point_, .superblock = identity.superblock,
                         .mount_id = identity.mount_id, .level = level, .carried = false, .fd = std::move(*fd)};
}

void LoopVolume::write_some() const {
    auto fd = open_at(AT_FDCWD, mount_point_ + "/data", O_WRONLY | O_CREAT, 0600);
    const std::string block(64 * 1024, 'q');
    for (int i = 0; fd && i < 16; ++i) static_cast<void>(::write(fd->get(), block.data(), block.size()) < 0);
}

Result<void> LoopVolume::freeze() const {
    auto own = member();
    if (!own) return pass(own);
    if (::ioctl(own->fd.get(), FIFREEZE, 0) != 0) return fail_errno("cannot freeze " + mount_point_);
    return {};
}

Result<void> LoopVolume::thaw() const {
    auto own = member();
    if (!own) return pass(own);
    if (::ioctl(own->fd.get(), FITHAW, 0) != 0) return fail_errno("cannot thaw " + mount_point_);
    return {};
}

Result<void> enter_own_mount_namespace() {
    if (::unshare(CLONE_NEWNS) != 0) return fail_errno("cannot make a mount namespace");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno("cannot make all mounts private");
    const auto table = read_mountinfo("/proc/self/mountinfo");
    if (!table) return fail(ErrorKind::io, table.error().message());
    for (auto entry = table->entries.rbegin(); entry != table->entries.rend(); ++entry)
        if (entry->source.starts_with("/dev/loop")) ::umount2(entry->mount_point.c_str(), MNT_DETACH);
    return {};
}

} // namespace quiesced
