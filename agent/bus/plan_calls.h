// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/result.h"

namespace quiesced {

/// The Plan calls under way: a thread for each, because one waits for providers and for its sample of writes, and neither
/// another one nor CreateSet shall wait with it.
class PlanCalls {
public:
    static constexpr std::size_t kMost = 8; ///< at once

    PlanCalls() = default;
    ~PlanCalls() { finish(); }
    PlanCalls(const PlanCalls&) = delete;
    PlanCalls& operator=(const PlanCalls&) = delete;

    /// Any thread. Runs `work` on a thread of its own. Errors: limit, also after finish().
    Result<void> start(std::function<void(const std::stop_token&)> work);

    /// Asks all to be short and waits for them. Not from one of them.
    void finish();

private:
    struct Call {
        bool done = false; ///< under mutex_
        std::jthread thread;
    };
    std::mutex mutex_;
    bool ending_ = false;
    std::list<Call> calls_;
};

} // namespace quiesced
