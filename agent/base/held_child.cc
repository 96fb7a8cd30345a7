// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/held_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/child.h"
#include "base/spawn.h"

namespace quiesced {

Result<HeldChild> HeldChild::start(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
    if (argv.empty() || !argv.front().starts_with('/')) return fail(ErrorKind::invalid_argument, "a program to hold needs its full path");
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno("cannot make a connection to a child process");
    UniqueFd here(ends[0]);
    UniqueFd there(ends[1]);
    // Above 2, as make_pipe() does: dup2() in the child would overwrite it otherwise.
    if (there.get() <= STDERR_FILENO) {
        const int higher = ::fcntl(there.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (higher < 0) return fail_errno("cannot make a connection to a child process");
        there.reset(higher);
    }
    const auto child = spawn_group(argv.front(), argv, environment, there.get(), there.get(), STDERR_FILENO);
    if (!child) return tl::unexpected<Error>(child.error());
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *child, 0)));
    if (!pidfd) {
        const int error_number = errno;
        ::kill(-*child, SIGKILL);
        reap_later(*child);
        return fail_errno("cannot watch the child process " + argv.front(), error_number);
    }
    return HeldChild(*child, std::move(pidfd), std::move(here));
}

HeldChild::HeldChild(pid_t child, UniqueFd pidfd, UniqueFd socket)
    : child_(child), pidfd_(std::move(pidfd)), channel_(std::move(socket)) {}

HeldChild::HeldChild(HeldChild&& other) noexcept
    : child_(std::exchange(other.child_, -1)), pidfd_(std::move(other.pidfd_)), channel_(std::move(other.channel_)) {}

HeldChild::~HeldChild() {
    if (child_ != -1) static_cast<void>(end(Monotonic::now() + std::chrono::seconds(1)));
}

bool HeldChild::is_gone_by(Monotonic::time_point deadline) const {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Monotonic::now()).count();
        pollfd entry{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
        if (ready > 0) return true;
        if (ready == 0 && Monotonic::now() >= deadline) return false;
        if (ready < 0 && errno != EINTR) return false;
    }
}

Result<int> HeldChild::end(Monotonic::time_point deadline) {
    if (child_ == -1) return fail(ErrorKind::wrong_state, "the child process has ended before");
    channel_.close();
    const bool in_time = is_gone_by(deadline);
    // Not reaped yet, so the number is still its own. Also when it has ended: what it left behind.
    ::kill(-child_, SIGKILL);
    if (!in_time) ::kill(child_, SIGKILL); // it may have moved to another group
    const auto child = std::exchange(child_, -1);
    if (!in_time && !is_gone_by(Monotonic::now() + kKillGrace)) {
        reap_later(child);
        return fail(ErrorKind::deadline, "it did not end, and is blocked in the kernel, so that it cannot be killed either");
    }
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED) != 0)
        if (errno != EINTR) return fail_errno("cannot learn how a child process ended");
    if (!in_time) return fail(ErrorKind::deadline, "it did not end when its standard input was closed, and was killed with its process group");
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

} // namespace quiesced
