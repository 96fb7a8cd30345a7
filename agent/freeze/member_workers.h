// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/kernel.h"
#include "freeze/locked_thread.h"
#include "freeze/record.h"
#include "freeze/wakeup.h"

namespace quiesced {

/// One thread for each file system, ready before the window. The thread of a file system is the only one that calls
/// FIFREEZE and FITHAW on it, which makes "exactly once" a matter of program order; one that is stuck in the kernel
/// holds up nobody else, and thaws as soon as it returns.
///
/// The owner's thread posts work with the three post functions and is woken when the last of a post is done, of a flush
/// when any is.
class MemberWorkers {
public:
    MemberWorkers(const Record& record, std::vector<UniqueFd> fds, FreezeKernel& kernel, Wakeup& wakeup);
    ~MemberWorkers(); ///< ends the threads; must not be called while one is stuck in FIFREEZE
    MemberWorkers(const MemberWorkers&) = delete;
    MemberWorkers& operator=(const MemberWorkers&) = delete;

    Result<void> start();
    void hurry() const noexcept; ///< see LockedThread

    /// Begins a pass of one syncfs of every member, in which none is started yet. Not while flushing().
    void begin_flush() noexcept;
    /// Starts further syncfs until `width` are under way; false when no member is left to be started. The owner is woken
    /// whenever one returns.
    bool post_flush(std::uint32_t width) noexcept;
    /// Starts FIFREEZE of the members of a level. Returns how many there are.
    std::uint32_t post_freeze(std::int32_t level) noexcept;
    /// Starts FITHAW of the frozen members of a level. A member whose FIFREEZE is still in the kernel is told to thaw on
    /// return, and is not waited for. Returns how many were started.
    std::uint32_t post_thaw(std::int32_t level) noexcept;
    /// From now on no further FIFREEZE is started, and one that returns is thawed at once. `probe`: post_thaw() also finds out
    /// whether foreign members are still frozen by somebody else. There is no query for that; what tells is a second FIFREEZE:
    /// EBUSY says yes. When it succeeds they are not, and it is thawed at once.
    void want_thaw(bool probe) noexcept;

    /// Closes the descriptors of members with which nothing is left to be done, so that they can be unmounted while another one is
    /// stuck. Nothing may be posted any more.
    void release() noexcept;

    [[nodiscard]] bool flushing() const noexcept { return flush_done_.load() != flush_posted_; } ///< some syncfs is under way
    [[nodiscard]] bool freezing() const noexcept { return freeze_left_.load() != 0; } ///< of the posted level
    [[nodiscard]] bool thawing() const noexcept { return thaw_left_.load() != 0; }    ///< of all posted levels
    /// The first member whose FIFREEZE has not returned, as index; -1 when there is none.
    [[nodiscard]] std::int32_t first_freezing() const noexcept;
    /// Members whose FIFREEZE or FITHAW has not returned, or that are between the two.
    [[nodiscard]] std::uint32_t in_flight() const noexcept;
    /// FITHAW of some member failed.
    [[nodiscard]] bool left_frozen() const noexcept;
    /// By us, or by somebody else where that is accepted.
    [[nodiscard]] bool all_frozen(std::int32_t level) const noexcept;
    [[nodiscard]] std::int32_t lowest_level() const noexcept { return lowest_level_; }

private:
    enum class Command : std::uint32_t { none, flush, freeze, thaw, probe, quit };
    struct Worker {
        MemberWorkers* owner = nullptr;
        MemberSlot* slot = nullptr;
        UniqueFd fd;
        std::atomic<Command> command{Command::none};
        Command thaw_command = Command::none; ///< to be posted; owner's thread only
        LockedThread thread;
    };

    static void* run(void* worker);
    void work(Worker& worker) noexcept;
    void flush(Worker& worker) noexcept;
    void freeze(Worker& worker) noexcept;
    void thaw(Worker& worker) noexcept;
    void probe(Worker& worker) noexcept;
    [[nodiscard]] bool counts_as_frozen(const Worker& worker) const noexcept;
    static void post(Worker& worker, Command command) noexcept;
    void done(std::atomic<std::uint32_t>& left) noexcept;

    const Record& record_;
    FreezeKernel& kernel_;
    Wakeup& wakeup_;
    bool probe_ = false;             ///< owner's thread only
    std::uint32_t flush_posted_ = 0; ///< likewise; members of this pass, from the first on
    std::vector<std::unique_ptr<Worker>> workers_;
    std::int32_t lowest_level_ = 0;
    // One count for each kind of work: a FIFREEZE that returns late must not be taken for a thaw that is done.
    std::atomic<std::uint32_t> flush_done_{0};
    std::atomic<std::uint32_t> freeze_left_{0};
    std::atomic<std::uint32_t> thaw_left_{0};
};

} // namespace quiesced
