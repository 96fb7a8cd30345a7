// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/freeze_plan.h"

#include <fcntl.h>

#include "base/file.h"
#include "freeze/linux_kernel.h"

namespace quiesced {
namespace {

Result<PlannedMember> open_member(const PlannedVolume& entry) {
    const auto& mount = entry.volume.mounts.front();
    // O_NONBLOCK: a mount may show a single file, and that a FIFO. No O_PATH: FIFREEZE wants a real descriptor.
    auto fd = open_at(AT_FDCWD, mount.path, O_RDONLY | O_NONBLOCK);
    if (!fd) {
        fd.error().kind = ErrorKind::no_such_volume;
        fd.error().advice = "It was there a moment ago; make a new set.";
        return pass(fd);
    }
    LinuxFreezeKernel kernel;
    MountIdentity identity;
    if (const int error = kernel.identify(fd->get(), identity); error != 0) return fail_errno("cannot examine " + mount.path, error);
    // FIFREEZE on a folder that is no mount point any more would freeze the file system around it. (The superblock's number is
    // taken from the descriptor: for btrfs it is not the one in the mount table.)
    if (identity.mount_id != mount.mount_id)
        return fail(ErrorKind::no_such_volume, mount.path + " is no longer the mount that the set was made for",
                    "It was unmounted or mounted over meanwhile; make a new set.");
    return PlannedMember{.name = entry.volume.name,
                         .mount_path = mount.path,
                         .superblock = identity.superblock,
                         .mount_id = identity.mount_id,
                         .level = entry.level,
                         .carried = entry.carried,
                         .fd = std::move(*fd)};
}

} // namespace

Result<FreezePlan> make_freeze_plan(const SetId& set, const SetPlan& plan, std::vector<DmChain> chains) {
    FreezePlan freeze{.set = set.text(), .members = {}, .chains = std::move(chains), .expedite_rcu = true};
    for (const auto* group : {&plan.members, &plan.carried})
        for (const auto& entry : *group) {
            auto member = open_member(entry);
            if (!member) return pass(member);
            freeze.members.push_back(std::move(*member));
        }
    return freeze;
}

} // namespace quiesced
