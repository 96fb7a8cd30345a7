// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include <spdlog/common.h>

#include "base/log_ring.h"

namespace quiesced {

/// The daemon's log. spdlog's lines go to a ring in memory, and a thread of its own writes them to standard error: whoever
/// logs never waits, and while file systems are frozen nothing is written at all (journald may be blocked on one of them).
/// To the journal with its priority ("<6>..."), else with time and level.
class Log {
public:
    /// Becomes spdlog's default logger until the end of this.
    explicit Log(spdlog::level::level_enum level);
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;
    ~Log(); ///< writes what is left

    /// While `held` says true, lines wait; called from the log's own thread. An empty one never holds.
    void hold_while(std::function<bool()> held);
    /// `held` may have another answer now. Any thread.
    void wake();

private:
    class Sink;
    void run();
    void write_all();

    LogRing ring_;
    const bool journal_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<bool()> held_;
    bool woken_ = false;
    bool ending_ = false;
    std::thread thread_; ///< last: everything else is ready when it starts
};

} // namespace quiesced
