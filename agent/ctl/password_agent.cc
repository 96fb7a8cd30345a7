// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/password_agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>

#include "base/scope_exit.h"
#include "base/spawn.h"

namespace quiesced {
namespace {

constexpr std::chrono::milliseconds kStart{5000};
constexpr int kNotify = 3;

} // namespace

bool PasswordAgent::wanted() { return ::geteuid() != 0 && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

// Not by spawn_group(): a group of its own would be in the background, where the terminal is not read.
PasswordAgent::PasswordAgent() {
    auto ready = make_pipe();
    if (!ready) return;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const ScopeExit done([&] { ::posix_spawn_file_actions_destroy(&actions); });
    // dup2 onto itself would keep O_CLOEXEC.
    UniqueFd moved(::fcntl(ready->write_end.get(), F_DUPFD_CLOEXEC, kNotify + 1));
    if (!moved) return;
    ::posix_spawn_file_actions_adddup2(&actions, moved.get(), kNotify);
    std::string program = "pkttyagent", notify = "--notify-fd", number = std::to_string(kNotify), fallback = "--fallback";
    std::array<char*, 5> argv{program.data(), notify.data(), number.data(), fallback.data(), nullptr};
    if (::posix_spawnp(&child_, program.c_str(), &actions, nullptr, argv.data(), environ) != 0) {
        child_ = -1;
        return;
    }
    ready->write_end.reset();
    moved.reset();
    // It closes its end when it is registered, or ends.
    pollfd entry{.fd = ready->read_end.get(), .events = POLLIN, .revents = 0};
    while (::poll(&entry, 1, static_cast<int>(kStart.count())) < 0 && errno == EINTR) {}
}

PasswordAgent::~PasswordAgent() {
    if (child_ < 0) return;
    ::kill(child_, SIGTERM);
    while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {}
}

} // namespace quiesced
