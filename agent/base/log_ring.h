// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace quiesced {

/// A bounded store of log lines in memory that is allocated and locked beforehand: what is logged while file systems
/// are frozen waits here, because a blocked log reader (journald on a frozen /var) must never block the daemon.
/// Thread-safe. No call allocates except the constructor and drain().
class LogRing {
public:
    struct Line {
        std::chrono::system_clock::time_point time;
        int level = 0; ///< the logger's own number, handed through
        std::uint16_t message = 0; ///< which one of a catalogue, handed through; 0: none
        std::uint16_t length = 0;
        std::uint16_t fields_length = 0;
        std::array<char, 494> text{}; ///< UTF-8; longer lines are cut between characters. The fields come behind it
        [[nodiscard]] std::string_view view() const { return {text.data(), length}; }
        [[nodiscard]] std::string_view fields() const { return {text.data() + length, fields_length}; }
    };
    static constexpr std::size_t kMostFields = 240; ///< bytes; a line keeps none where they are longer

    /// `capacity` lines of 512 bytes each; the pages are touched and mlock()ed (a refusal to lock is no error).
    explicit LogRing(std::size_t capacity = 1024);

    /// Keeps a line; when the ring is full, the oldest line is lost and counted.
    /// `fields` are kept beside the text, for who reads the journal by a program.
    void push(int level, std::string_view text, std::chrono::system_clock::time_point time, std::uint16_t message = 0, std::string_view fields = {});

    /// Hands each kept line over, oldest first, and empties the ring. Returns how many lines had been lost. The sink
    /// runs without the lock: it may block or push() again (for the next drain).
    std::uint64_t drain(const std::function<void(const Line&)>& sink);

private:
    std::mutex mutex_;
    std::vector<Line> lines_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    std::uint64_t lost_ = 0;
};

/// What to put before a line that is written at `now` where the writer's own time is shown: its time, if it was held back for longer
/// than one would notice ("[2026-11-22 22:10:11.123] ", local time), else nothing.
std::string original_time(std::chrono::system_clock::time_point time, std::chrono::system_clock::time_point now);

} // namespace quiesced
