// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "base/result.h"

namespace quiesced {

/// Keeps windows and changes of what lies below volumes apart: LVM suspends an origin to make a store larger or to merge a snapshot,
/// and its log and archive may lie on what is frozen. Windows may overlap each other, changes nothing. Thread-safe; owned by a
/// shared_ptr.
class WindowGate : public std::enable_shared_from_this<WindowGate> {
public:
    using Pass = std::shared_ptr<void>; ///< the end of its last copy lets others in

    /// Before the first thing of a window; waits for a change that is under way. Errors: busy, after `limit`.
    Result<Pass> enter_window(std::chrono::milliseconds limit);
    /// Waits for windows and other changes. Errors: busy, after `limit` or when it is asked to stop.
    Result<Pass> begin_change(std::chrono::milliseconds limit, const std::stop_token& stop = {});
    /// None while a window is open or another change is under way.
    std::optional<Pass> try_change();

private:
    Pass pass_for_window();
    Pass pass_for_change();

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::size_t windows_ = 0;
    bool changing_ = false;
};

} // namespace quiesced
