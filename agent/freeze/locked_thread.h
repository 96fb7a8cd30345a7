// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <pthread.h>

#include "base/result.h"

namespace quiesced {

/// A thread with a stack small enough to be locked in memory many times over. std::thread takes the process's
/// default stack (8 MiB), which mlockall() would make resident for each. Joined by the destructor.
class LockedThread {
public:
    static constexpr std::size_t kStack = 32U * 1024U; ///< bytes; glibc's least is 16 KiB

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
        ::pthread_attr_setstacksize(&attributes, kStack);
        const int error = ::pthread_create(&thread_, &attributes, run, argument);
        ::pthread_attr_destroy(&attributes);
        if (error != 0) return fail_errno("cannot start a thread", error);
        started_ = true;
        return {};
    }

    [[nodiscard]] bool started() const { return started_; }

private:
    pthread_t thread_{};
    bool started_ = false;
};

} // namespace quiesced
