// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mount/mount_set.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "base/child.h"
#include "base/file.h"
#include "base/scope_exit.h"
#include "base/unique_fd.h"
#include "mount/layer.h"
#include "volumes/mountinfo.h"

namespace quiesced {
namespace {

constexpr unsigned long kFlags = MS_RDONLY | MS_NODEV | MS_NOSUID;

std::string base_source(const SetId& set) { return "quiesced-" + set.text(); }

DeviceNumber number_of(const std::string& device) {
    struct stat status {};
    if (::stat(device.c_str(), &status) != 0 || !S_ISBLK(status.st_mode)) return {};
    return DeviceNumber::from(status.st_rdev);
}

/// Mount points of a set, in the order in which they were mounted.
Result<std::vector<std::string>> mounted(const SetId& set, const std::vector<std::string>& devices) {
    std::set<DeviceNumber> numbers;
    for (const auto& device : devices) numbers.insert(number_of(device));
    const auto layers = layers_of(set);
    if (!layers) return tl::unexpected<Error>(layers.error());
    for (const auto& layer : *layers) numbers.insert(layer.number);
    numbers.erase(DeviceNumber{});
    const auto table = read_mountinfo("/proc/self/mountinfo");
    if (!table) return tl::unexpected<Error>(table.error());
    std::vector<std::string> paths;
    for (const auto& entry : table->entries) {
        // btrfs has a number of its own there; its source leads to the device.
        const bool ours = entry.source == base_source(set) || numbers.contains(entry.device) ||
                          (entry.source.starts_with("/dev/") && numbers.contains(number_of(entry.source)));
        if (ours) paths.push_back(entry.mount_point);
    }
    return paths;
}

Result<void> unmount_all(const std::vector<std::string>& paths) {
    for (auto path = paths.rbegin(); path != paths.rend(); ++path)
        if (::umount2(path->c_str(), UMOUNT_NOFOLLOW) != 0) {
            const int error_number = errno;
            auto failed = fail_errno("cannot unmount " + *path, error_number, error_number == EBUSY ? ErrorKind::busy : ErrorKind::kernel);
            if (error_number == EBUSY) failed.value().advice = "fuser -vm " + *path + " shows who uses it.";
            return failed;
        }
    return {};
}

Result<void> remove_layers(const SetId& set) {
    const auto layers = layers_of(set);
    if (!layers) return tl::unexpected<Error>(layers.error());
    Result<void> result;
    for (const auto& layer : *layers)
        if (auto removed = remove_layer(layer); !removed) result = std::move(removed);
    return result;
}

/// Gives a copy of a btrfs an fsid of its own, in its superblock alone: else the kernel takes it for its origin's second path.
Result<void> give_own_identity(const std::string& device, const std::string& volume) {
    const auto outcome = run_child({"btrfstune", "-f", "-m", device}, {.input = {}, .environment = {}, .limit = std::chrono::minutes(5)});
    if (!outcome)
        return fail(ErrorKind::unsupported, "the btrfs snapshot of " + volume + " cannot be mounted: " + outcome.error().message(), "Install btrfs-progs.");
    if (outcome->timed_out || outcome->exit_status != 0)
        return fail(ErrorKind::unsupported, "btrfstune cannot give the btrfs snapshot of " + volume + " an identity of its own: " +
                                                (outcome->errors.empty() ? outcome->output : outcome->errors),
                    "One of several devices cannot be mounted beside its origin: mount it on another machine.");
    return {};
}

/// Shows only a folder of what is mounted at `target`.
Result<void> narrow(const std::string& target, const std::string& root) {
    const UniqueFd tree(::open_tree(AT_FDCWD, (target + root).c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW));
    if (!tree) return fail_errno("the snapshot has no folder " + root + " for " + target);
    if (::umount2(target.c_str(), UMOUNT_NOFOLLOW) != 0) return fail_errno("cannot unmount " + target);
    if (::move_mount(tree.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) return fail_errno("cannot mount at " + target);
    return {};
}

class Mounter {
public:
    Mounter(const SetId& set, std::string folder) : set_(set), folder_(std::move(folder)) {}

    Result<void> make_base(const MountPlan& plan) {
        if (::mount(base_source(set_).c_str(), folder_.c_str(), "tmpfs", MS_NODEV | MS_NOSUID, "mode=755,size=1m") != 0)
            return fail_errno("cannot mount a tmpfs on " + folder_);
        for (const auto& mount : plan.mounts)
            if (is_outermost(mount, plan))
                if (auto made = make_directories(target(mount)); !made) return made;
        if (::mount(nullptr, folder_.c_str(), nullptr, MS_REMOUNT | kFlags, "mode=755,size=1m") != 0)
            return fail_errno("cannot make the tmpfs on " + folder_ + " read-only");
        return {};
    }

    Result<void> mount(const SnapshotMount& wanted) {
        const auto device = wanted.layer ? layer_over(wanted) : Result<std::string>(wanted.device);
        if (!device) return tl::unexpected<Error>(device.error());
        const auto where = target(wanted);
        if (::mount(device->c_str(), where.c_str(), wanted.file_system.c_str(), kFlags, wanted.options.c_str()) != 0) {
            if (errno == ENOENT || errno == ENOTDIR)
                return fail(ErrorKind::no_such_volume, "the snapshot in which " + where + " lies has no folder for the snapshot of " + wanted.volume, {});
            return fail_errno("cannot mount the snapshot " + wanted.device + " of " + wanted.volume + " at " + where +
                              (wanted.options.empty() ? "" : " with " + wanted.options));
        }
        if (wanted.root == "/" || wanted.file_system == "btrfs") return {};
        return narrow(where, wanted.root);
    }

    [[nodiscard]] std::string target(const SnapshotMount& mount) const {
        return mount.path == "/" ? folder_ : (folder_ == "/" ? "" : folder_) + mount.path;
    }

private:
    /// Its mount point lies in the base, not in another member.
    static bool is_outermost(const SnapshotMount& mount, const MountPlan& plan) {
        return std::none_of(plan.mounts.begin(), plan.mounts.end(), [&](const SnapshotMount& outer) { return mount.path.starts_with(outer.path + "/"); });
    }

    /// One layer for all mounts of a device.
    Result<std::string> layer_over(const SnapshotMount& wanted) {
        if (const auto known = layers_.find(wanted.device); known != layers_.end()) return known->second;
        const auto layer = add_layer(set_, layers_.size(), wanted.device);
        if (!layer) return tl::unexpected<Error>(layer.error());
        if (wanted.file_system == "btrfs")
            if (auto given = give_own_identity(layer->path(), wanted.volume); !given) return pass(given);
        return layers_[wanted.device] = layer->path();
    }

    const SetId& set_;
    std::string folder_;
    std::map<std::string, std::string> layers_; ///< path of the layer by that of the device below
};

std::vector<std::string> devices_of(const MountPlan& plan) {
    std::vector<std::string> devices;
    for (const auto& mount : plan.mounts) devices.push_back(mount.device);
    return devices;
}

} // namespace

Result<std::vector<MountedSnapshot>> mount_set(const SetId& set, const MountPlan& plan, const std::string& folder) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(folder.c_str(), nullptr), &std::free);
    if (!real) return fail_errno("cannot mount at " + folder, errno, ErrorKind::invalid_argument);
    const auto devices = devices_of(plan);
    const auto before = mounted(set, devices);
    if (!before) return tl::unexpected<Error>(before.error());
    const auto layers = layers_of(set);
    if (!layers) return tl::unexpected<Error>(layers.error());
    if (!before->empty() || !layers->empty())
        return fail(ErrorKind::busy, "set " + set.text() + " is mounted already" + (before->empty() ? ", in another mount namespace" : " at " + before->front()),
                    "Unmount it first: quiescectl umount " + set.text() + ".");

    ScopeExit undo([&] { static_cast<void>(unmount_set(set, devices)); });
    Mounter mounter(set, real.get());
    if (plan.base)
        if (auto made = mounter.make_base(plan); !made) return pass(made);
    std::vector<MountedSnapshot> done;
    for (const auto& wanted : plan.mounts) {
        if (auto good = mounter.mount(wanted); !good) return pass(good);
        done.push_back({.volume = wanted.volume, .path = mounter.target(wanted), .device = wanted.device});
    }
    undo.dismiss();
    return done;
}

Result<std::vector<std::string>> unmount_set(const SetId& set, const std::vector<std::string>& devices) {
    auto paths = mounted(set, devices);
    if (!paths) return paths;
    if (auto gone = unmount_all(*paths); !gone) return pass(gone);
    if (auto removed = remove_layers(set); !removed) return pass(removed);
    return paths;
}

} // namespace quiesced
