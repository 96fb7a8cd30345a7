// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/recovery.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string_view>
#include <thread>

#include "base/file.h"
#include "freeze/explain.h"
#include "freeze/process_identity.h"
#include "volumes/mount_namespaces.h"
#include "volumes/mountinfo.h"

namespace quiesced {
namespace {

constexpr std::chrono::seconds kForcePatience{1};
constexpr std::chrono::milliseconds kForceLook{5};

/// A descriptor on the mount at `path`, if that is the wanted superblock. open() of a folder does not wait for a freeze.
UniqueFd open_if(const std::string& path, DeviceNumber superblock, FreezeKernel& kernel) {
    auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    MountIdentity identity;
    if (!fd || kernel.identify(fd->get(), identity) != 0 || identity.superblock != superblock) return {};
    return std::move(*fd);
}

/// At a mount in another namespace: it was frozen through a process that may have ended since, but others can have it mounted.
UniqueFd find_elsewhere(DeviceNumber superblock, FreezeKernel& kernel) {
    UniqueFd found;
    std::vector<std::string> problems;
    scan_mount_namespaces(
        "/proc",
        [&](const MountProcess& process, std::string_view table) {
            if (found) return;
            for (const auto& entry : parse_mountinfo(table).entries) {
                if (entry.device != superblock && entry.file_system != "btrfs") continue;
                MountPoint place;
                place.path = entry.mount_point;
                place.process = process;
                if (found = open_if(place.open_path(), superblock, kernel); found) return;
            }
        },
        problems);
    return found;
}

/// Where it was frozen, else at any other mount of the same superblock. (For btrfs the mount table gives another device
/// number than statx, so there every mount is asked.)
UniqueFd find_member(const MemberSlot& slot, const MountTable& mounts, FreezeKernel& kernel) {
    const DeviceNumber superblock{slot.superblock_major, slot.superblock_minor};
    if (auto fd = open_if(slot.mount_path, superblock, kernel)) return fd;
    for (const auto& entry : mounts.entries)
        if (entry.device == superblock || entry.file_system == "btrfs")
            if (auto fd = open_if(entry.mount_point, superblock, kernel)) return fd;
    return std::string_view(slot.mount_path).starts_with("/proc/") ? find_elsewhere(superblock, kernel) : UniqueFd();
}

/// Its daemon or its freezer will see to it.
bool in_use(const RecordHeader& header) {
    return process_alive({.pid = header.daemon_pid.load(), .start = header.daemon_start.load()}) ||
           process_alive({.pid = header.freezer_pid.load(), .start = header.freezer_start.load()});
}

RescueReport recover_one(const std::shared_ptr<const Record>& record, const MountTable& mounts, WindowKernel& kernel) {
    RescueReport report;
    // What cannot be prepared fails for itself below; the rest is mended all the same.
    if (auto prepared = kernel.dm->prepare(*record); !prepared) report.failed.push_back(prepared.error().message());
    if (auto prepared = kernel.rcu->prepare(); !prepared) report.failed.push_back(prepared.error().message());
    // Before any look-up of a path, which may read from a device that is suspended.
    resume_suspended(*record, *kernel.dm, report);
    auto fds = std::make_shared<std::vector<UniqueFd>>();
    for (const auto& slot : record->members()) {
        const auto state = slot.state.load();
        const bool held = state == MemberState::freezing || state == MemberState::frozen || state == MemberState::thawing;
        fds->push_back(held ? find_member(slot, mounts, *kernel.freeze) : UniqueFd());
    }
    auto rest = rescue(record, fds, kernel);
    const auto append = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(report.thawed, rest.thawed);
    append(report.resumed, rest.resumed);
    append(report.unprimed, rest.unprimed);
    append(report.failed, rest.failed);
    report.stuck = std::move(rest.stuck);
    report.pending = std::move(rest.pending);
    return report;
}

/// A record that is this process's while FITHAWs of it are in flight: nobody starts a second one meanwhile.
void adopt(const std::shared_ptr<const Record>& record, const RescueReport& report) {
    const auto self = this_process();
    record->header().daemon_start = self.start;
    record->header().daemon_pid = self.pid;
    std::thread([record, pending = report.pending] {
        while (!pending->wait(std::chrono::hours(1))) {}
        record->header().daemon_pid = 0;
    }).detach();
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

void end_freezer(const RecordHeader& header) {
    const ProcessIdentity freezer{.pid = header.freezer_pid.load(), .start = header.freezer_start.load()};
    if (!process_alive(freezer) || !kill_process(freezer)) return;
    const auto until = Monotonic::now() + kForcePatience;
    while (process_alive(freezer) && Monotonic::now() < until) std::this_thread::sleep_for(kForceLook); // another's child: no event
}

/// Until its daemon, if that is alive, has done what it can.
void await_daemon(const Record& record) {
    const auto held = [](const MemberSlot& slot) {
        const auto state = slot.state.load();
        return state == MemberState::freezing || state == MemberState::frozen || state == MemberState::thawing;
    };
    const auto& header = record.header();
    const ProcessIdentity daemon{.pid = header.daemon_pid.load(), .start = header.daemon_start.load()};
    const auto until = Monotonic::now() + kForcePatience;
    while (process_alive(daemon) && std::any_of(record.members().begin(), record.members().end(), held) && Monotonic::now() < until)
        std::this_thread::sleep_for(kForceLook);
}

Result<std::vector<Recovered>> recover_all(WindowKernel& kernel, const std::string& directory, const std::string& mountinfo, bool force) {
    std::vector<Recovered> all;
    const auto names = list_records(directory);
    if (!names) return tl::unexpected<Error>(names.error());
    constexpr std::string_view suffix = kRecordSuffix;
    for (const auto& name : *names) {
        const auto path = directory + "/" + name;
        Recovered entry{.set = name.substr(0, name.size() - suffix.size()), .report = {}, .journal = false};
        // One that is of no use must not keep the others from being recovered.
        auto mapped = map_record(path);
        bool keep = false;
        std::vector<std::string> read_only;
        if (!mapped) {
            entry.report.failed.push_back(path + ": " + mapped.error().message());
        } else {
            const auto record = std::make_shared<const Record>(std::move(*mapped));
            auto& header = record->header();
            if (!force && in_use(header)) continue;
            if (force) {
                end_freezer(header);
                await_daemon(*record);
            }
            // Without a mount table the recorded paths are left.
            entry.report = recover_one(record, read_mountinfo(mountinfo).value_or(MountTable{}), kernel);
            keep = in_use(header); // it removes its record itself
            if (!keep && !entry.report.stuck.empty()) adopt(record, entry.report);
            read_only = explain_read_only(*record);
            if (!keep) entry.journal = header.journal_relinquished.exchange(0) != 0;
        }
        if (entry.report.failed.empty() && !keep) ::unlink(path.c_str());
        entry.report.failed.insert(entry.report.failed.end(), read_only.begin(), read_only.end());
        if (!entry.report.nothing_done() || entry.journal) all.push_back(std::move(entry));
    }
    return all;
}

} // namespace

void await_thaws(const std::vector<Recovered>& recovered, std::chrono::milliseconds limit) {
    const auto until = Monotonic::now() + limit;
    for (const auto& entry : recovered)
        if (entry.report.pending) static_cast<void>(entry.report.pending->wait(std::chrono::ceil<std::chrono::milliseconds>(until - Monotonic::now())));
}

bool window_under_way(const std::string& directory) {
    const auto names = list_records(directory);
    return names && std::any_of(names->begin(), names->end(), [&](const std::string& name) {
               const auto record = map_record(directory + "/" + name);
               return record && in_use(record->header());
           });
}

bool window_left(const std::string& directory) {
    const auto self = this_process();
    const auto names = list_records(directory);
    return names && std::any_of(names->begin(), names->end(), [&](const std::string& name) {
               const auto record = map_record(directory + "/" + name);
               return record && (record->header().daemon_pid.load() != self.pid || record->header().daemon_start.load() != self.start);
           });
}

Result<std::vector<Recovered>> recover(WindowKernel& kernel, const std::string& directory, const std::string& mountinfo) {
    return recover_all(kernel, directory, mountinfo, false);
}

Result<std::vector<Recovered>> recover_by_force(WindowKernel& kernel, const std::string& directory, const std::string& mountinfo) {
    return recover_all(kernel, directory, mountinfo, true);
}

} // namespace quiesced
