// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/plan_calls.h"

#include <system_error>
#include <utility>

namespace quiesced {

Result<void> PlanCalls::start(std::function<void(const std::stop_token&)> work) {
    const std::lock_guard lock(mutex_);
    // Their threads have nothing left to do but to return: joining them does not wait.
    calls_.remove_if([](const Call& call) { return call.done; });
    if (ending_ || calls_.size() >= kMost)
        return fail(ErrorKind::limit, "there are " + std::to_string(calls_.size()) + " plans under way already", "Wait for one of them.");
    auto& call = calls_.emplace_back();
    try {
        call.thread = std::jthread([this, &call, work = std::move(work)](const std::stop_token& stop) mutable {
            work(stop);
            // Its answer is a message, whose end takes the library's lock; whoever joins this thread may have that.
            work = nullptr;
            const std::lock_guard done(mutex_);
            call.done = true;
        });
    } catch (const std::system_error& error) {
        calls_.pop_back();
        return fail(ErrorKind::limit, "no thread for another plan: " + std::string(error.what()), "Try again later.");
    }
    return {};
}

void PlanCalls::finish() {
    std::list<Call> ending;
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        // Its elements stay where they are: the threads refer to them.
        ending.swap(calls_);
        for (auto& call : ending) call.thread.request_stop();
    }
    ending.clear();
}

} // namespace quiesced
