// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/mount_namespaces.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <set>

#include "base/file.h"
#include "volumes/mount_tree.h"

namespace quiesced {
namespace {

/// "mnt:[4026531840]", or empty with errno.
std::string namespace_of(int proc, const std::string& process) {
    std::array<char, 64> target{};
    const auto link = process + "/ns/mnt";
    const auto length = ::readlinkat(proc, link.c_str(), target.data(), target.size());
    return length <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(length));
}

std::vector<pid_t> read_processes(int proc) {
    std::vector<pid_t> processes;
    for (const auto& name : list_directory_at(proc, ".").value_or(std::vector<std::string>{})) {
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error == std::errc{} && end == name.data() + name.size()) processes.push_back(pid);
    }
    std::sort(processes.begin(), processes.end());
    return processes;
}

bool skip_fields(std::string_view& line, int count) {
    for (; count > 0; --count) {
        const auto space = line.find(' ');
        if (space == std::string_view::npos) return false;
        line.remove_prefix(space + 1);
    }
    return true;
}

/// The superblock and the type in a line of a mount table, without a copy: most lines are not wanted.
bool peek(std::string_view line, DeviceNumber& superblock, std::string_view& type) {
    if (!skip_fields(line, 2)) return false;
    const auto* const end = line.data() + line.size();
    const auto major = std::from_chars(line.data(), end, superblock.major);
    if (major.ec != std::errc{} || major.ptr == end || *major.ptr != ':') return false;
    if (std::from_chars(major.ptr + 1, end, superblock.minor).ec != std::errc{}) return false;
    // Root, mount point and options come before any number of optional fields, which a dash ends.
    if (!skip_fields(line, 3)) return false;
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) return false;
    line.remove_prefix(dash + 3);
    type = line.substr(0, line.find(' '));
    return true;
}

} // namespace

void scan_mount_namespaces(const std::string& proc,
                           const std::function<void(const MountProcess&, std::string_view)>& visit,
                           std::vector<std::string>& problems) {
    const auto all = open_at(AT_FDCWD, proc, O_RDONLY | O_DIRECTORY);
    if (!all) return;
    std::set<std::string> seen{namespace_of(all->get(), "self")};
    std::size_t refused = 0;
    for (const auto pid : read_processes(all->get())) {
        const auto process = std::to_string(pid);
        auto place = namespace_of(all->get(), process);
        if (place.empty() && (errno == EACCES || errno == EPERM)) ++refused;
        if (place.empty() || seen.contains(place)) continue;
        // A process that is ending has no table any more: then another one of its namespace is asked.
        const auto table = read_file_at(all->get(), process + "/mountinfo", kLargestMountTable);
        if (!table || table->empty()) continue;
        seen.insert(std::move(place));
        // "comm" is kept by the kernel; "cmdline" would have to be read from the process's memory.
        visit({.pid = pid, .command = read_attribute_at(all->get(), process + "/comm").value_or("?")}, *table);
    }
    if (refused > 0)
        problems.push_back("the mount namespaces of " + std::to_string(refused) +
                           " processes may not be looked into; what is mounted only there is not known");
}

void find_foreign_mounts(const MountProcess& process, std::string_view table,
                         const std::function<bool(DeviceNumber, std::string_view)>& wanted,
                         std::vector<ForeignMount>& found) {
    bool any = false;
    for (auto rest = table; !rest.empty() && !any;) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        DeviceNumber superblock;
        std::string_view type;
        any = !line.empty() && peek(line, superblock, type) && wanted(superblock, type);
    }
    if (!any) return;
    // What hides what is seen in the whole table only.
    const auto parsed = parse_mountinfo(table);
    const MountTree tree(parsed.entries);
    for (const auto& entry : parsed.entries)
        if (wanted(entry.device, entry.file_system))
            found.push_back({.entry = entry,
                             .process = process,
                             .hidden = !tree.visible(entry),
                             .behind_remote = tree.behind_remote(entry)});
}

} // namespace quiesced
