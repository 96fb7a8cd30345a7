// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <spdlog/common.h>

#include "base/log_ring.h"
#include "journal_entry.h"
#include "messages.h"

namespace quiesced {

enum class LogLevel { info, warning, error };

/// A line with an id and fields for the journal. To the log that lives now; nothing without one. Like any line, it waits for the end
/// of a window.
void log_event(Message message, LogLevel level, const LogFields& fields, const std::string& text);

/// The daemon's log. spdlog's lines go to a ring in memory, and a thread of its own writes them to standard error: whoever
/// logs never waits, and while file systems are frozen nothing is written at all (journald may be blocked on one of them).
/// To the journal, if that is where standard error leads, as entries with fields; else with time and level.
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
    void push(int level, std::string_view text, std::chrono::system_clock::time_point time, Message message = Message::none, std::string_view fields = {});

private:
    class Sink;
    void run();
    void write_all();
    void write(const LogRing::Line& line) const;

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
