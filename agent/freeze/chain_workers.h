// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "freeze/kernel.h"
#include "freeze/locked_thread.h"
#include "freeze/record.h"
#include "freeze/wakeup.h"

namespace quiesced {

/// One thread for each device-mapper chain, ready before the window. Like MemberWorkers, for prime, fire and unprime.
class ChainWorkers {
public:
    ChainWorkers(const Record& record, DmKernel& kernel, Wakeup& wakeup);
    ~ChainWorkers();
    ChainWorkers(const ChainWorkers&) = delete;
    ChainWorkers& operator=(const ChainWorkers&) = delete;

    Result<void> start();
    void hurry() const noexcept; ///< see LockedThread

    void post_prime() noexcept;
    void post_fire() noexcept;
    /// Unprimes the chains that were primed and not cut. Returns how many were started.
    std::uint32_t post_unprime() noexcept;

    [[nodiscard]] bool busy() const noexcept { return left_.load() != 0; }
    [[nodiscard]] bool all(ChainState state) const noexcept;
    /// Some chain is not as LVM expects it: primed, half-done or failed.
    [[nodiscard]] bool needs_unprime() const noexcept;
    /// A device that a fire suspended could not be resumed.
    [[nodiscard]] bool left_suspended() const noexcept;

private:
    enum class Command : std::uint32_t { none, prime, fire, unprime, quit };
    struct Worker {
        ChainWorkers* owner = nullptr;
        ChainSlot* slot = nullptr;
        std::size_t index = 0;
        std::atomic<Command> command{Command::none};
        LockedThread thread;
    };
    struct Run {
        int error = 0;     ///< errno of the step that failed
        bool cut = false;  ///< fire: every step but a last resume was done
    };

    static void* run(void* worker);
    void work(Worker& worker) noexcept;
    void prime(Worker& worker) noexcept;
    void fire(Worker& worker) noexcept;
    void unprime(Worker& worker) noexcept;
    /// Steps of one phase in order; after a failure only the resumes of what this phase had suspended.
    Run run_steps(Worker& worker, StepPhase phase) noexcept;
    int run_step(std::size_t index, std::uint32_t group) noexcept;
    static void post(Worker& worker, Command command) noexcept;

    const Record& record_;
    DmKernel& kernel_;
    Wakeup& wakeup_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::unique_ptr<std::mutex>> group_locks_; ///< one for each chain index; a group uses its first one's
    std::atomic<std::uint32_t> left_{0};
};

} // namespace quiesced
