// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// Runs `work(0)` to `work(count - 1)`, each a Result<void>, side by side (the first on the caller's thread), waits for all, and
/// returns the error that came first: the others may only follow from it.
template <typename Work>
Result<void> side_by_side(std::size_t count, const Work& work) {
    std::mutex mutex;
    Result<void> first;
    const auto run = [&](std::size_t i) {
        auto result = work(i);
        const std::lock_guard lock(mutex);
        if (!result && first) first = std::move(result);
    };
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 1; i < count; ++i) threads.emplace_back(run, i);
        if (count > 0) run(0);
    }
    return first;
}

} // namespace quiesced
