// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace quiesced {

/// One thread that runs what it is given, in order. The destructor lets it finish what was posted.
class Executor {
public:
    Executor() : thread_([this] { run(); }) {}
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;
    ~Executor() { finish(); }

    /// Any thread. After finish() the work is not done, but kept until the destructor: what it holds may be the last of something that
    /// the calling thread cannot destroy, as the set whose thread it is.
    void post(std::function<void()> work) {
        const std::lock_guard lock(mutex_);
        if (ending_) {
            undone_.push_back(std::move(work));
            return;
        }
        queue_.push_back(std::move(work));
        changed_.notify_one();
    }

    /// The same at a time to come, on an idle thread without a wake-up before; dropped by finish().
    void post_at(Monotonic::time_point when, std::function<void()> work) {
        const std::lock_guard lock(mutex_);
        later_.emplace(when, std::move(work));
        changed_.notify_one();
    }

    /// Waits for all posted work and ends the thread. Not from its own thread.
    void finish() {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
            changed_.notify_one();
        }
        if (thread_.joinable()) thread_.join();
    }

private:
    void run() {
        for (;;) {
            std::function<void()> work;
            {
                std::unique_lock lock(mutex_);
                while (!ending_ && queue_.empty()) {
                    if (later_.empty()) {
                        changed_.wait(lock);
                    } else if (const auto left = later_.begin()->first - Monotonic::now(); left > Monotonic::duration::zero()) {
                        changed_.wait_for(lock, left);
                    } else {
                        queue_.push_back(std::move(later_.begin()->second));
                        later_.erase(later_.begin());
                    }
                }
                if (queue_.empty()) return;
                work = std::move(queue_.front());
                queue_.pop_front();
            }
            work();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;
    std::multimap<Monotonic::time_point, std::function<void()>> later_;
    std::vector<std::function<void()>> undone_;
    bool ending_ = false;
    std::thread thread_; ///< last: everything else is ready when it starts
};

} // namespace quiesced
