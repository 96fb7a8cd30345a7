// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/recovery.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/file.h"
#include "volumes/mountinfo.h"

namespace quiesced {
namespace {

/// A descriptor on the mount at `path`, if that is the wanted superblock. open() of a folder does not wait for a freeze.
UniqueFd open_if(const std::string& path, DeviceNumber superblock, FreezeKernel& kernel) {
    auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    MountIdentity identity;
    if (!fd || kernel.identify(fd->get(), identity) != 0 || identity.superblock != superblock) return {};
    return std::move(*fd);
}

/// Where it was frozen, else at any other mount of the same superblock. (The mount table gives another device number than
/// statx for btrfs, so there only the recorded path is of help.)
UniqueFd find_member(const MemberSlot& slot, const MountTable& mounts, FreezeKernel& kernel) {
    const DeviceNumber superblock{slot.superblock_major, slot.superblock_minor};
    if (auto fd = open_if(slot.mount_path, superblock, kernel)) return fd;
    for (const auto& entry : mounts.entries)
        if (entry.device == superblock)
            if (auto fd = open_if(entry.mount_point, superblock, kernel)) return fd;
    return {};
}

bool process_alive(std::int32_t pid) { return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM); }

RescueReport recover_one(const Record& record, const MountTable& mounts, FreezeKernel& kernel, DmKernel& dm, RcuSwitch& rcu) {
    RescueReport report;
    std::vector<UniqueFd> fds;
    for (const auto& slot : record.members()) {
        const auto state = slot.state.load();
        const bool held = state == MemberState::freezing || state == MemberState::frozen || state == MemberState::thawing;
        fds.push_back(held ? find_member(slot, mounts, kernel) : UniqueFd());
    }
    if (auto prepared = dm.prepare(record); !prepared) report.failed.push_back(prepared.error().message());
    if (auto prepared = rcu.prepare(); !prepared) report.failed.push_back(prepared.error().message());
    if (!report.failed.empty()) return report;
    return rescue(record, fds, kernel, dm, rcu);
}

} // namespace

Result<std::vector<Recovered>> recover(FreezeKernel& kernel, DmKernel& dm, RcuSwitch& rcu, const std::string& directory,
                                       const std::string& mountinfo) {
    std::vector<Recovered> all;
    auto names = list_directory_at(AT_FDCWD, directory);
    if (!names && names.error().error_number == ENOENT) return all;
    if (!names) return pass(names);
    constexpr std::string_view suffix = kRecordSuffix;
    for (const auto& name : *names) {
        if (!name.ends_with(suffix)) continue;
        const auto path = directory + "/" + name;
        Recovered entry{.set = name.substr(0, name.size() - suffix.size()), .report = {}};
        auto fd = open_at(AT_FDCWD, path, O_RDWR | O_NOFOLLOW);
        if (!fd) return pass(fd);
        auto record = Record::map(std::move(*fd));
        if (!record) {
            entry.report.failed.push_back(path + ": " + record.error().message());
        } else {
            if (process_alive(record->header().freezer_pid.load())) continue;
            auto mounts = read_mountinfo(mountinfo);
            if (!mounts) return pass(mounts);
            entry.report = recover_one(*record, *mounts, kernel, dm, rcu);
        }
        if (entry.report.failed.empty()) ::unlink(path.c_str());
        if (!entry.report.nothing_done()) all.push_back(std::move(entry));
    }
    return all;
}

} // namespace quiesced
