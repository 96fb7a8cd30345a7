// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "snapshot/manifest.h"

namespace quiesced {

/// What became of a writer in the last set that it was run for.
struct WriterUse {
    std::string set;
    std::string state;       ///< "quiesced", "failed", "aborted": the set was given up for another reason
    std::string consistency; ///< the weakest of its volumes'; empty where the set failed
    std::string error;       ///< of one that failed
    std::chrono::system_clock::time_point time; ///< when the set was made
};

/// Remembers that of each writer, since the start and of the sets on disk. Thread-safe.
class WriterHistory {
public:
    /// Takes what a set's description says now; of an earlier set than the one known, nothing.
    void note(const Manifest& manifest);
    [[nodiscard]] std::optional<WriterUse> last(const std::string& name, const std::string& kind) const;

private:
    mutable std::mutex mutex_;
    std::map<std::pair<std::string, std::string>, WriterUse> uses_; ///< by name and kind
};

} // namespace quiesced
