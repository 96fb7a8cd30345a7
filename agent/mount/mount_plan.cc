// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mount/mount_plan.h"

#include <algorithm>

namespace quiesced {
namespace {

/// What file system and consistency ask for.
void choose_options(SnapshotMount& mount, bool frozen) {
    const auto& type = mount.file_system;
    if (type == "btrfs") {
        // A copy has the fsid of its origin, and the kernel would take one for the other.
        mount.layer = true;
        mount.options = "subvol=" + mount.root;
        return;
    }
    // What was frozen has all of its data in place, so that its log need not be replayed: the snapshot stays untouched.
    const bool without_replay = frozen && (type == "ext4" || type == "ext3" || type == "ext2" || type == "xfs");
    mount.layer = !without_replay;
    if (type == "xfs") mount.options = without_replay ? "nouuid,norecovery" : "nouuid";
    else if (without_replay && type != "ext2") mount.options = "noload";
}

std::string why_not(const MemberView& member) {
    if (member.provider == "host")
        return member.snapshot.empty() ? "the host has not reported its snapshot" : "its snapshot is the host's: " + member.snapshot;
    if (member.consistency == "reverted") return "its volume was put back to the snapshot, which is gone with that";
    if (!member.revert.empty() && member.revert != "interrupted") return "its volume is being put back to the snapshot";
    if (member.device.empty()) return "its snapshot " + member.snapshot + " is on no device of this guest";
    if (member.file_system.empty()) return "it has no file system";
    if (member.mounts.empty()) return "where it was mounted is not known";
    return {};
}

} // namespace

Result<MountPlan> plan_mounts(const ManifestView& set) {
    if (set.state != "complete")
        return fail(ErrorKind::wrong_state, "set " + set.id + " is '" + set.state + "'", "Only a complete set can be mounted.");
    MountPlan plan;
    for (const auto& member : set.members) {
        if (auto reason = why_not(member); !reason.empty()) {
            plan.left_out.push_back({member.volume, std::move(reason)});
            continue;
        }
        for (const auto& point : member.mounts) {
            SnapshotMount mount{.volume = member.volume, .device = member.device, .file_system = member.file_system, .path = point.path,
                                .root = point.root, .options = {}, .layer = false};
            choose_options(mount, member.consistency == "application" || member.consistency == "filesystem");
            plan.mounts.push_back(std::move(mount));
        }
    }
    // "/" and "/srv" come before "/srv/data", also beside "/srv-old".
    std::stable_sort(plan.mounts.begin(), plan.mounts.end(), [](const auto& a, const auto& b) {
        const auto depth = [](const std::string& path) { return path == "/" ? 0 : std::count(path.begin(), path.end(), '/'); };
        return depth(a.path) < depth(b.path);
    });
    for (std::size_t i = 0; i < plan.mounts.size(); ++i)
        for (std::size_t j = i + 1; j < plan.mounts.size(); ++j)
            if (plan.mounts[i].path == plan.mounts[j].path)
                return fail(ErrorKind::invalid_argument, plan.mounts[i].volume + " and " + plan.mounts[j].volume + " were both mounted at " + plan.mounts[i].path,
                            "Mount their devices one by one.");
    plan.base = std::none_of(plan.mounts.begin(), plan.mounts.end(), [](const auto& mount) { return mount.path == "/"; });
    return plan;
}

} // namespace quiesced
