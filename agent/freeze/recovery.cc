// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/recovery.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/file.h"
#include "freeze/process_identity.h"
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

/// Where it was frozen, else at any other mount of the same superblock. (For btrfs the mount table gives another device
/// number than statx, so there every mount is asked.)
UniqueFd find_member(const MemberSlot& slot, const MountTable& mounts, FreezeKernel& kernel) {
    const DeviceNumber superblock{slot.superblock_major, slot.superblock_minor};
    if (auto fd = open_if(slot.mount_path, superblock, kernel)) return fd;
    for (const auto& entry : mounts.entries)
        if (entry.device == superblock || entry.file_system == "btrfs")
            if (auto fd = open_if(entry.mount_point, superblock, kernel)) return fd;
    return {};
}

/// Its daemon or its freezer will see to it.
bool in_use(const RecordHeader& header) {
    return process_alive({.pid = header.daemon_pid.load(), .start = header.daemon_start.load()}) ||
           process_alive({.pid = header.freezer_pid.load(), .start = header.freezer_start.load()});
}

RescueReport recover_one(const Record& record, const MountTable& mounts, FreezeKernel& kernel, DmKernel& dm, RcuSwitch& rcu) {
    RescueReport report;
    // What cannot be prepared fails for itself below; the rest is mended all the same.
    if (auto prepared = dm.prepare(record); !prepared) report.failed.push_back(prepared.error().message());
    if (auto prepared = rcu.prepare(); !prepared) report.failed.push_back(prepared.error().message());
    // Before any look-up of a path, which may read from a device that is suspended.
    resume_suspended(record, dm, report);
    std::vector<UniqueFd> fds;
    for (const auto& slot : record.members()) {
        const auto state = slot.state.load();
        const bool held = state == MemberState::freezing || state == MemberState::frozen || state == MemberState::thawing;
        fds.push_back(held ? find_member(slot, mounts, kernel) : UniqueFd());
    }
    auto rest = rescue(record, fds, kernel, dm, rcu);
    const auto append = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(report.thawed, rest.thawed);
    append(report.resumed, rest.resumed);
    append(report.unprimed, rest.unprimed);
    append(report.failed, rest.failed);
    return report;
}

/// The records' names in a directory; nothing where it is missing. Errors: io, kernel.
Result<std::vector<std::string>> list_records(const std::string& directory) {
    auto names = list_directory_at(AT_FDCWD, directory);
    if (!names && names.error().error_number == ENOENT) return std::vector<std::string>{};
    if (!names) return pass(names);
    std::erase_if(*names, [](const std::string& name) { return !name.ends_with(kRecordSuffix); });
    return names;
}

Result<Record> map_record(const std::string& path) {
    return open_at(AT_FDCWD, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK).and_then(&Record::map);
}

} // namespace

bool window_under_way(const std::string& directory) {
    const auto names = list_records(directory);
    return names && std::any_of(names->begin(), names->end(), [&](const std::string& name) {
               const auto record = map_record(directory + "/" + name);
               return record && in_use(record->header());
           });
}

Result<std::vector<Recovered>> recover(FreezeKernel& kernel, DmKernel& dm, RcuSwitch& rcu, const std::string& directory,
                                       const std::string& mountinfo) {
    std::vector<Recovered> all;
    const auto names = list_records(directory);
    if (!names) return tl::unexpected<Error>(names.error());
    constexpr std::string_view suffix = kRecordSuffix;
    for (const auto& name : *names) {
        const auto path = directory + "/" + name;
        Recovered entry{.set = name.substr(0, name.size() - suffix.size()), .report = {}};
        // One that is of no use must not keep the others from being recovered.
        auto record = map_record(path);
        if (!record) {
            entry.report.failed.push_back(path + ": " + record.error().message());
        } else {
            if (in_use(record->header())) continue;
            // Without a mount table the recorded paths are left.
            entry.report = recover_one(*record, read_mountinfo(mountinfo).value_or(MountTable{}), kernel, dm, rcu);
        }
        if (entry.report.failed.empty()) ::unlink(path.c_str());
        if (!entry.report.nothing_done()) all.push_back(std::move(entry));
    }
    return all;
}

} // namespace quiesced
