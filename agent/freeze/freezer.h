// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/chain_workers.h"
#include "freeze/kernel.h"
#include "freeze/member_workers.h"
#include "freeze/protocol.h"
#include "freeze/record.h"
#include "freeze/wakeup.h"

namespace quiesced {

/// The freezer: carries out one window on behalf of the daemon at the other end of a socket. The only caller of FIFREEZE,
/// FITHAW and dm suspend in normal operation.
///
/// Once "ready" was answered it opens nothing, executes nothing, logs nothing and takes no memory. It thaws by itself
/// when the deadline passes or the socket closes. Its own thread never makes a call that can wait for a disk: the
/// workers' threads do, and this one keeps listening.
class Freezer {
public:
    struct Options {
        bool lock_memory = true; ///< and hurry; false in tests that run it as a thread of their own process
        std::int64_t short_flush_ns = 20'000'000; ///< a pre-flush pass this short is the last
        std::int64_t long_flush_ns = 400'000'000; ///< after a pass this long, the next one has few syncfs at once
        std::uint32_t narrow_flush = 4; ///< that few
        int most_flush_passes = 6;
        std::int64_t flush_step_ns = 200'000'000; ///< when no syncfs returns for so long, twice as many at once
        std::int64_t linger_ns = 500'000'000; ///< how long a thaw waits for a FIFREEZE in flight before it is called stuck,
                                              ///< and for the FITHAWs of one level before the next one is begun
        std::int64_t thaw_patience_ns = 5'000'000'000; ///< how long it waits for the last FITHAW before it answers
    };
    /// The longest that a thaw takes from its begin to its answer, with the usual options.
    static std::chrono::nanoseconds longest_thaw(std::int32_t levels) {
        const Options usual;
        return std::chrono::nanoseconds(levels * usual.linger_ns + usual.thaw_patience_ns);
    }
    Freezer(UniqueFd socket, FreezeKernel& kernel, DmKernel& dm, RcuSwitch& rcu, Options options);

    /// Serves until quit or the socket's end, and until no FIFREEZE is in flight. Returns the exit status: 0 when nothing is left
    /// frozen, suspended or primed.
    int run();

private:
    enum class Phase { idle, flushing, priming, freezing, frozen, firing, thawing, lingering, unpriming, done };

    void handle(ReceivedMessage&& received);
    void attach(std::vector<UniqueFd>&& descriptors);
    Result<void> get_ready();
    void begin_freeze(std::int64_t limit);
    void begin_thaw();
    void advance();           ///< a worker finished its post: what comes next
    void begin_flush_pass();
    void advance_flush();
    void advance_freeze();
    void advance_thaw();
    void linger();
    void touch_stack() noexcept;
    void finish_thaw();
    void finish_unprime();
    void hurry() noexcept;
    void arm_deadline() noexcept;
    void start_count() noexcept;
    void end_count() noexcept;
    void arm_timer(std::int64_t when) noexcept; ///< Monotonic, ns; 0 disarms
    void time_out();
    void lose_daemon(bool suddenly); ///< it died, or said that it needs us no more
    void answer(FreezerMessage::Kind kind, std::int32_t result);
    [[nodiscard]] bool clean() const;

    UniqueFd socket_;
    FreezeKernel& kernel_;
    DmKernel& dm_;
    RcuSwitch& rcu_;
    Options options_;
    std::optional<Wakeup> wakeup_;
    UniqueFd timer_;
    std::vector<UniqueFd> attached_;
    std::optional<Record> record_;
    std::unique_ptr<MemberWorkers> members_;
    std::unique_ptr<ChainWorkers> chains_;
    Phase phase_ = Phase::idle;
    std::int32_t level_ = 0;
    std::int64_t level_until_ = 0; ///< when the FIFREEZEs of level_ have to be back; 0: no such limit
    long minor_before_ = 0, major_before_ = 0; ///< page faults before the window
    int flush_passes_ = 0;
    std::uint32_t flush_width_ = 1; ///< syncfs under way at once
    std::int64_t flush_pass_began_ = 0, flush_pass_length_ = 0; ///< the length is that of the pass before
    std::int64_t flush_until_ = 0;
    bool thaw_asked_ = false;      ///< the daemon waits for an answer to thaw
    bool freeze_asked_ = false;    ///< likewise for freeze
    bool prime_asked_ = false;
    bool fire_asked_ = false;
    bool flush_asked_ = false;
    bool unprime_tried_ = false;
    bool quit_ = false;
};

} // namespace quiesced
