// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <deque>
#include <mutex>
#include <string>

#include "sequence/write_rate.h"

namespace quiesced {

/// How much is written to block devices in an hour. Looks when it is asked, and wakes up for nothing: so the hour is the time to the
/// youngest look that is at least an hour old, and to the start of the machine without one. Thread-safe.
class WriteHistory {
public:
    explicit WriteHistory(std::string diskstats = "/proc/diskstats") : diskstats_(std::move(diskstats)) {}

    /// Bytes in an hour, at the rate of that time. Empty when the counters cannot be read.
    WrittenBytes last_hour();
    /// The same from a sample that was taken now.
    WrittenBytes last_hour(const WriteSample& now);

private:
    std::string diskstats_;
    std::mutex mutex_;
    std::deque<WriteSample> samples_; ///< oldest first
};

} // namespace quiesced
