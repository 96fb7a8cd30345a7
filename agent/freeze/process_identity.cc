// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/process_identity.h"

#include <signal.h>
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

/// Of /proc/PID/stat, the 3rd and the 22nd field. The 2nd, in brackets, may hold anything, so what counts is the last
/// closing bracket.
std::optional<ProcessStat> read_stat(std::int32_t pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/stat");
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

} // namespace

ProcessIdentity this_process() {
    const auto pid = static_cast<std::int32_t>(::getpid());
    const auto stat = read_stat(pid);
    return {.pid = pid, .start = stat ? stat->start : 0};
}

bool process_alive(ProcessIdentity process) {
    if (process.pid <= 0 || (::kill(process.pid, 0) != 0 && errno != EPERM)) return false;
    const auto stat = read_stat(process.pid);
    if (!stat) return ::kill(process.pid, 0) == 0 || errno == EPERM; // gone meanwhile, or no /proc to ask
    return stat->start == process.start && stat->state != 'Z' && stat->state != 'X';
}

} // namespace quiesced
