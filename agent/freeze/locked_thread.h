// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "base/result.h"

namespace quiesced {

/// A thread with a stack small enough to be locked in memory many times over. std::thread takes the process's
/// default stack (8 MiB), which mlockall() would make resident for each. Joined by the destructor.
class LockedThread {
public:
    /// Bytes. The deepest call of a worker takes less than 2 KiB, a thread's own data about as much; glibc's least is 16 KiB.
#ifdef __SANITIZE_ADDRESS__
    static constexpr std::size_t kStack = 256U * 1024U;
#else
    static constexpr std::size_t kStack = 16U * 1024U;
#endif

    static constexpr int kHurry = 1; ///< the least priority of real time

    LockedThread() = default;
    LockedThread(const LockedThread&) = delete;
    LockedThread& operator=(const LockedThread&) = delete;
    ~LockedThread() {
        if (started_) ::pthread_join(thread_, nullptr);
    }

    /// `run(argument)` in the new thread. Errors: kernel.
    Result<void> start(void* (*run)(void*), void* argument) {
        pthread_attr_t attributes;
        ::pthread_attr_init(&attributes);
        // Processors with large registers (AMX) have a larger least, which counts room for a signal's frame (glibc 2.34).
        const auto least = ::sysconf(_SC_THREAD_STACK_MIN);
        int error = ::pthread_attr_setstacksize(&attributes, std::max(kStack, static_cast<std::size_t>(std::max(least, 0L))));
        if (error == 0) error = ::pthread_create(&thread_, &attributes, run, argument);
        ::pthread_attr_destroy(&attributes);
        if (error != 0) return fail_errno("cannot start a thread", error);
        started_ = true;
        return {};
    }

    /// Before all threads of the usual kind from now on, where that is permitted.
    void hurry() const noexcept {
        const sched_param least{.sched_priority = kHurry};
        if (started_) ::pthread_setschedparam(thread_, SCHED_FIFO, &least);
    }

    [[nodiscard]] bool started() const { return started_; }

private:
    pthread_t thread_{};
    bool started_ = false;
};

} // namespace quiesced
