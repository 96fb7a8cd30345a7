// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced::bench {

/// A write that was called and has returned.
struct Stall {
    Monotonic::time_point started;
    Monotonic::time_point ended;
    [[nodiscard]] std::chrono::nanoseconds length() const { return ended - started; }
};

/// An application on each of several file systems, as it feels a snapshot: one thread for each writes 4 KiB every
/// millisecond, without fsync, and remembers the longest of its writes. The time between two writes does not count: a
/// processor that is busy with others is nobody's freeze.
class WriteMeters {
public:
    /// Starts a thread for each folder and returns when each has written. Errors: kernel.
    static Result<std::unique_ptr<WriteMeters>> start(const std::vector<std::string>& folders, std::chrono::milliseconds period);
    /// Ends the threads; a thread whose write does not return is waited for.
    ~WriteMeters();
    WriteMeters(const WriteMeters&) = delete;
    WriteMeters& operator=(const WriteMeters&) = delete;

    /// Returns when each has written `count` times more. Errors: deadline after ten seconds, kernel (a write failed).
    Result<void> wait_for_writes(std::uint64_t count) const;
    /// From now on only writes count that have not returned yet.
    void forget() { forgotten_.fetch_add(1); }
    /// Ends the threads and returns the longest stall of each. Errors: kernel (a write failed).
    Result<std::vector<Stall>> stop();

private:
    struct Meter {
        std::string folder;
        UniqueFd file;
        Stall longest;                        ///< read after the thread has ended
        std::atomic<std::uint64_t> writes{0};
        std::atomic<int> error_number{0};
        std::thread thread;
    };
    explicit WriteMeters(std::chrono::milliseconds period) : period_(period) {}
    void write(Meter& meter) const noexcept;

    const std::chrono::milliseconds period_; ///< from the begin of one write to that of the next
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> forgotten_{0};
    std::vector<std::unique_ptr<Meter>> meters_;
};

} // namespace quiesced::bench
