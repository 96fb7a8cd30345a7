// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "base/ids.h"

namespace quiesced {

/// Calls back for each set a fixed time after it was added. Sleeps without a wake-up while there is none.
class Expiry {
public:
    using Expired = std::function<void(const SetId&)>;

    /// `expired` runs on the thread of this class.
    Expiry(std::chrono::milliseconds after, Expired expired);
    Expiry(const Expiry&) = delete;
    Expiry& operator=(const Expiry&) = delete;
    ~Expiry(); ///< those that are left never expire

    /// Any thread.
    void add(const SetId& set);

private:
    using Clock = std::chrono::steady_clock;
    void run();

    const std::chrono::milliseconds after_;
    const Expired expired_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::pair<Clock::time_point, SetId>> waiting_; ///< by time, since all wait equally long
    bool ending_ = false;
    std::thread thread_; ///< last: everything else is ready when it starts
};

} // namespace quiesced
