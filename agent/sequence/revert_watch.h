// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <utility>

namespace quiesced {

/// Between a revert and whoever follows it: how far it is, and until when it can be given up. Thread-safe; shared by both.
class RevertWatch {
public:
    using Progress = std::function<void(double fraction)>;
    /// `progress` is called from the set's thread while it merges.
    explicit RevertWatch(Progress progress = {}) : progress_(std::move(progress)) {}

    /// Gives it up. False: it has begun, and nothing stops a merge.
    bool cancel() {
        const std::lock_guard lock(mutex_);
        if (begun_) return false;
        stop_.request_stop();
        return true;
    }

    // For the set:
    /// From now on it cannot be given up. False: it was.
    bool begin() {
        const std::lock_guard lock(mutex_);
        begun_ = !stop_.stop_requested();
        return begun_;
    }
    [[nodiscard]] bool cancelled() const { return stop_.stop_requested(); }
    [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }
    void tell(double fraction) const {
        if (progress_) progress_(fraction);
    }

private:
    const Progress progress_;
    std::mutex mutex_;
    bool begun_ = false;
    std::stop_source stop_;
};

} // namespace quiesced
