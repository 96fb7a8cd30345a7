// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "snapshot/manifest.h"

namespace quiesced {

/// When what was done, for the manifest. Thread-safe.
class Timeline {
public:
    struct Span {
        std::string what;
        Monotonic::time_point start;
        Monotonic::time_point end;
    };

    void add(std::string what, Monotonic::time_point start, Monotonic::time_point end) {
        const std::lock_guard lock(mutex_);
        spans_.push_back({std::move(what), start, end});
    }

    /// Runs a callable and keeps its time.
    template <typename Callable>
    auto measure(std::string what, Callable&& callable) {
        const auto start = Monotonic::now();
        auto result = std::forward<Callable>(callable)();
        add(std::move(what), start, Monotonic::now());
        return result;
    }

    /// Relative to `zero`, in order of their starts.
    [[nodiscard]] std::vector<ManifestSpan> relative_to(Monotonic::time_point zero) const;
    [[nodiscard]] std::vector<Span> spans() const {
        const std::lock_guard lock(mutex_);
        return spans_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<Span> spans_;
};

} // namespace quiesced
