// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace quiesced::oracle {

struct WriterOptions {
    std::vector<std::string> directories;              ///< one for each volume, in writing order
    std::optional<std::chrono::milliseconds> length{}; ///< ends after this time; none: only when told to stop
    unsigned load = 0; ///< MiB/s of buffered writes to a file of its own on each volume; 0: none
    unsigned rest = 0; ///< after each round, as many times as long as it took, but at most 1 s; 0: none
};

struct WriterReport {
    std::uint64_t sequence = 0;                ///< the last number that is on all volumes
    std::chrono::nanoseconds longest_write{0}; ///< the longest that one write with its fdatasync took
    std::chrono::nanoseconds busy{0};          ///< all rounds together, without the rests
};

/// Writes number 1 to every volume's record in order, each made durable before the next, then number 2, and so on.
/// Calls `ready` once, when number 1 is on all volumes. Returns when `stop` is true or the time is over, after the
/// round that it is in; a write to a frozen file system delays that until the thaw.
/// Errors: kernel with errno, naming the file; the load threads' errors end the run too.
Result<WriterReport> write_records(const WriterOptions& options, const std::atomic<bool>& stop,
                                   const std::function<Result<void>()>& ready);

} // namespace quiesced::oracle
