// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <utility>

namespace quiesced {

/// Runs a callable at the end of the scope, unless dismissed: the undo of a step that was not completed.
/// The callable must not throw.
template <typename Callable>
class [[nodiscard]] ScopeExit {
public:
    explicit ScopeExit(Callable callable) : callable_(std::move(callable)) {}
    ScopeExit(const ScopeExit&) = delete;
    ScopeExit& operator=(const ScopeExit&) = delete;
    ScopeExit(ScopeExit&&) = delete;
    ScopeExit& operator=(ScopeExit&&) = delete;
    ~ScopeExit() {
        if (armed_) callable_();
    }
    void dismiss() { armed_ = false; }

private:
    Callable callable_;
    bool armed_ = true;
};

} // namespace quiesced
