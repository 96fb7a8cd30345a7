// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/window_gate.h"

#include <utility>

namespace quiesced {

WindowGate::Pass WindowGate::pass_for_window() {
    ++windows_;
    return {nullptr, [self = shared_from_this()](std::nullptr_t) {
                const std::lock_guard lock(self->mutex_);
                --self->windows_;
                self->changed_.notify_all();
            }};
}

WindowGate::Pass WindowGate::pass_for_change() {
    changing_ = true;
    return {nullptr, [self = shared_from_this()](std::nullptr_t) {
                const std::lock_guard lock(self->mutex_);
                self->changing_ = false;
                self->changed_.notify_all();
            }};
}

Result<WindowGate::Pass> WindowGate::enter_window(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limit, [this] { return !changing_; }))
        return fail(ErrorKind::busy, "quiesced is extending or merging a snapshot, which has not ended within " + std::to_string(limit.count()) + " ms",
                    "An LVM command may wait for a lock that another one holds; try again when it has ended.");
    return pass_for_window();
}

Result<WindowGate::Pass> WindowGate::begin_change(std::chrono::milliseconds limit, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, stop, limit, [this] { return !changing_ && windows_ == 0; }))
        return fail(ErrorKind::busy, windows_ != 0 ? "a set is frozen" : "quiesced is extending or merging a snapshot",
                    "Try again when that has ended: see quiescectl leases.");
    return pass_for_change();
}

std::optional<WindowGate::Pass> WindowGate::try_change() {
    const std::lock_guard lock(mutex_);
    if (changing_ || windows_ != 0) return std::nullopt;
    return pass_for_change();
}

} // namespace quiesced
