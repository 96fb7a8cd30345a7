// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "freeze/freezer.h"
#include "freeze/freezer_client.h"

namespace quiesced {

/// Runs a Freezer on a simulated world in a forked process, which can be killed. The pid is shared with the test.
class ForkLauncher final : public FreezerLauncher {
public:
    ForkLauncher(WindowKernel kernel, std::shared_ptr<pid_t> pid) : kernel_(std::move(kernel)), pid_(std::move(pid)) {}
    ~ForkLauncher() override { static_cast<void>(reap(std::chrono::milliseconds(0))); }

    Result<void> launch(UniqueFd socket) override {
        *pid_ = ::fork();
        if (*pid_ < 0) return fail_errno("fork");
        if (*pid_ > 0) return {};
        // Only the socket: with a copy of the daemon's end it would not notice the daemon's death.
        ::dup2(socket.release(), 3);
        ::close_range(4, ~0U, 0);
        ::_exit(Freezer(UniqueFd(3), *kernel_.freeze, *kernel_.dm, *kernel_.rcu, {.lock_memory = false}).run());
    }

    void kill() noexcept override { ::kill(*pid_, SIGKILL); }

    bool reap(std::chrono::milliseconds limit) override {
        const auto until = Monotonic::now() + limit;
        while (*pid_ > 0) {
            int status = 0;
            if (::waitpid(*pid_, &status, WNOHANG) == *pid_) *pid_ = -1;
            else if (Monotonic::now() >= until) return false;
            else ::usleep(500);
        }
        return true;
    }

private:
    WindowKernel kernel_;
    std::shared_ptr<pid_t> pid_;
};

} // namespace quiesced
