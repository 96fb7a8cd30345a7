// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/process_identity.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"

namespace quiesced {
namespace {

struct ProcessStat {
    char state = '?';
    std::int64_t start = 0;
};

/// Of a stat file, the 3rd and the 22nd field. The 2nd, in brackets, may hold anything, so what counts is the last
/// closing bracket.
std::optional<ProcessStat> read_stat(const std::string& process) {
    const auto text = read_file(process + "/stat");
    if (!text) return std::nullopt;
    std::string_view rest = *text;
    const auto bracket = rest.rfind(") ");
    if (bracket == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(bracket + 2);
    ProcessStat stat{.state = rest.empty() ? '?' : rest.front(), .start = 0};
    for (int field = 3; field < 22; ++field) {
        const auto blank = rest.find(' ');
        if (blank == std::string_view::npos) return std::nullopt;
        rest.remove_prefix(blank + 1);
    }
    if (std::from_chars(rest.data(), rest.data() + rest.size(), stat.start).ec != std::errc{}) return std::nullopt;
    return stat;
}

std::string folder_of(std::int32_t pid) { return "/proc/" + std::to_string(pid); }

/// SIGKILL waits for it (proc(5): masks in hexadecimal), while its first thread waits in the kernel. One whose first thread could end is a
/// zombie already.
bool is_being_killed(std::int32_t pid) {
    const auto text = read_file(folder_of(pid) + "/status");
    if (!text) return false;
    for (const std::string_view name : {"SigPnd:\t", "ShdPnd:\t"}) {
        const auto at = text->find(name);
        if (at == std::string::npos) continue;
        std::uint64_t mask = 0;
        const char* const begin = text->data() + at + name.size();
        std::from_chars(begin, text->data() + text->size(), mask, 16);
        if ((mask & (std::uint64_t{1} << (SIGKILL - 1))) != 0) return true;
    }
    return false;
}

} // namespace

ProcessIdentity this_process() {
    const auto pid = static_cast<std::int32_t>(::getpid());
    const auto stat = read_stat(folder_of(pid));
    return {.pid = pid, .start = stat ? stat->start : 0};
}

bool process_alive(ProcessIdentity process) {
    if (process.pid <= 0 || (::kill(process.pid, 0) != 0 && errno != EPERM)) return false;
    const auto stat = read_stat(folder_of(process.pid));
    if (!stat) return ::kill(process.pid, 0) == 0 || errno == EPERM; // gone meanwhile, or no /proc to ask
    return stat->start == process.start && stat->state != 'Z' && stat->state != 'X' && !is_being_killed(process.pid);
}

bool thread_left(ProcessIdentity process, std::int32_t thread) {
    if (process.pid <= 0 || thread <= 0) return false;
    const auto leader = read_stat(folder_of(process.pid));
    if (!leader || leader->start != process.start) return false;
    const auto stat = read_stat(folder_of(process.pid) + "/task/" + std::to_string(thread));
    return stat && stat->state != 'Z' && stat->state != 'X';
}

bool kill_process(ProcessIdentity process) {
    if (process.pid <= 0) return false;
    // By a descriptor that is open before the start time is compared: the id may be another's a moment later.
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    const auto stat = read_stat(folder_of(process.pid));
    if (!pidfd || !stat || stat->start != process.start) return false;
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0;
}

} // namespace quiesced
