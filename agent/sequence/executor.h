// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace quiesced {

/// One thread that runs what it is given, in order. The destructor lets it finish what was posted.
class Executor {
public:
    Executor() : thread_([this] { run(); }) {}
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;
    ~Executor() { finish(); }

    /// Any thread. After finish() the work is dropped.
    void post(std::function<void()> work) {
        const std::lock_guard lock(mutex_);
        if (ending_) return;
        queue_.push_back(std::move(work));
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
                changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
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
    bool ending_ = false;
    std::thread thread_; ///< last: everything else is ready when it starts
};

} // namespace quiesced
