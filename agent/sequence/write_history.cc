// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/write_history.h"

namespace quiesced {
namespace {

constexpr std::chrono::hours kHour{1};
constexpr std::chrono::minutes kApart{5}; ///< samples that are closer tell nothing new

} // namespace

WrittenBytes WriteHistory::last_hour() {
    const auto now = sample_writes(diskstats_);
    return now ? last_hour(*now) : WrittenBytes{};
}

WrittenBytes WriteHistory::last_hour(const WriteSample& now) {
    const std::lock_guard lock(mutex_);
    while (samples_.size() > 1 && now.taken - samples_[1].taken >= kHour) samples_.pop_front();
    // The counters and the monotonic clock both begin with the machine.
    WriteSample start;
    for (const auto& [device, bytes] : now.written) start.written[device] = 0;
    const bool old_enough = !samples_.empty() && now.taken - samples_.front().taken >= kHour;
    auto hour = write_rates(old_enough ? samples_.front() : start, now);
    for (auto& [device, bytes] : hour) {
        constexpr std::uint64_t seconds = 3600;
        bytes = bytes > UINT64_MAX / seconds ? UINT64_MAX : bytes * seconds;
    }
    if (samples_.empty() || now.taken - samples_.back().taken >= kApart) samples_.push_back(now);
    return hour;
}

} // namespace quiesced
