// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/freeze_plan.h"

#include <fcntl.h>

#include "base/file.h"
#include "freeze/linux_kernel.h"

namespace quiesced {
namespace {

Result<PlannedMember> open_member(const PlannedVolume& entry, const MountOpener& opener) {
    const auto& mount = entry.volume.mounts.front();
    auto opened = opener(mount.open_path());
    if (!opened) return pass(opened);
    // FIFREEZE on a folder that is no mount point any more would freeze the file system around it. (The superblock's number is
    // taken from the descriptor: for btrfs it is not the one in the mount table.)
    if (opened->identity.mount_id != mount.mount_id)
        return fail(ErrorKind::no_such_volume, mount.path + " is no longer the mount that the set was made for",
                    "It was unmounted or mounted over meanwhile; make a new set.");
    return PlannedMember{.name = entry.volume.name,
                         .mount_path = mount.path,
                         .superblock = opened->identity.superblock,
                         .mount_id = opened->identity.mount_id,
                         .level = entry.level,
                         .carried = entry.carried,
                         .fd = std::move(opened->fd)};
}

} // namespace

Result<OpenedMount> open_mount(const std::string& path) {
    // O_NONBLOCK: a mount may show a single file, and that a FIFO. No O_PATH: FIFREEZE wants a real descriptor.
    auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    if (!fd) {
        fd.error().kind = ErrorKind::no_such_volume;
        fd.error().advice = "It was there a moment ago; make a new set.";
        return pass(fd);
    }
    OpenedMount opened{.fd = std::move(*fd), .identity = {}};
    LinuxFreezeKernel kernel;
    if (const int error = kernel.identify(opened.fd.get(), opened.identity); error != 0) return fail_errno("cannot examine " + path, error);
    return opened;
}

Result<FreezePlan> make_freeze_plan(const SetId& set, const SetPlan& plan, std::vector<DmChain> chains, const MountOpener& opener) {
    FreezePlan freeze{.set = set.text(), .members = {}, .chains = std::move(chains), .expedite_rcu = true};
    for (const auto* group : {&plan.members, &plan.carried})
        for (const auto& entry : *group) {
            auto member = open_member(entry, opener);
            if (!member) return pass(member);
            freeze.members.push_back(std::move(*member));
        }
    return freeze;
}

} // namespace quiesced
