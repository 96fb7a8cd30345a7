// SPDX-License-Identifier: LGPL-2.1-or-later
// The freezer as a child process; declared in freezer_client.h.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/scope_exit.h"
#include "freeze/freezer_client.h"

namespace quiesced {
namespace {
constexpr int kSocketFd = 3; ///< agreed with agent/freezer.cc
} // namespace

ProcessLauncher::~ProcessLauncher() { static_cast<void>(reap(std::chrono::milliseconds(0))); }

Result<void> ProcessLauncher::launch(UniqueFd socket) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    const ScopeExit done([&] {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    });
    // dup2 onto itself would keep O_CLOEXEC: a socket that is 3 already moves away first.
    UniqueFd moved(::fcntl(socket.get(), F_DUPFD_CLOEXEC, kSocketFd + 1));
    if (!moved) return fail_errno("cannot copy the freezer's socket");
    ::posix_spawn_file_actions_adddup2(&actions, moved.get(), kSocketFd);
    // Its own process group: a Ctrl-C meant for a daemon in the foreground is not for the freezer.
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    std::string program = program_;
    std::string option = "--socket=3";
    std::array<char*, 3> argv{program.data(), option.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    pid_t pid = -1;
    if (const int error = ::posix_spawn(&pid, program_.c_str(), &actions, &attributes, argv.data(), environment.data()); error != 0)
        return fail_errno("cannot start " + program_, error, ErrorKind::io);
    pid_ = pid;
    pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); // Linux 5.3
    return {};
}

// pidfd_ is set once, before any other thread knows of this object.
void ProcessLauncher::kill() noexcept { ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0); } // Linux 5.1

bool ProcessLauncher::reap(std::chrono::milliseconds limit) {
    if (pid_ < 0) return true;
    pollfd entry{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    int status = 0;
    const auto until = Monotonic::now() + limit;
    int count = -1;
    do {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(until - Monotonic::now(), Monotonic::duration::zero()));
        count = ::poll(&entry, 1, static_cast<int>(left.count()));
    } while (count < 0 && errno == EINTR);
    if (count <= 0) {
        // Not in time. A thread that waits in FIFREEZE ignores SIGKILL; the other threads are kept alive, too: one of
        // them thaws it when it returns.
        return ::waitpid(pid_, &status, WNOHANG) == pid_ ? (pid_ = -1, true) : false;
    }
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return true;
}

} // namespace quiesced
