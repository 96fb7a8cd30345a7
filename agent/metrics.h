// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "sequence/executor.h"
#include "sequence/state.h"
#include "snapshot/fill.h"

namespace quiesced {

inline constexpr std::size_t kStates = static_cast<std::size_t>(State::failed) + 1;

/// One look at the sets of this guest, for a monitoring system.
struct MetricsSample {
    std::string version;
    std::array<std::uint64_t, kStates> sets{}; ///< by State
    std::uint64_t taken = 0;                   ///< that became complete since the daemon's start
    std::uint64_t failed = 0;                  ///< likewise
    std::uint64_t stuck = 0;                   ///< volumes whose freeze or thaw has not returned from the kernel
    std::uint64_t lost = 0;                    ///< complete sets of which a snapshot is lost
    std::optional<double> window_seconds;      ///< of the newest complete set
    std::optional<std::uint64_t> last_set;     ///< when that was made, seconds since 1970 UTC
    std::map<SetId, std::vector<Fill>> fills;  ///< where the snapshots of complete sets live
};

/// As OpenMetrics 1.0 has it, "# EOF" included; node_exporter's textfile collector reads it, too.
std::string render_metrics(const MetricsSample& sample);

/// Keeps /run/quiesced/metrics.prom as the sets are: written anew as a whole when something in it has changed, never while a file
/// system of a set is frozen. Thread-safe; whoever tells of a change does not wait.
class Metrics {
public:
    static constexpr const char* kFile = "metrics.prom";

    struct Sources {
        std::function<void(MetricsSample&)> read;  ///< fills in what the sets say; not the counters, nor the fills
        std::function<bool()> in_window;
    };
    Metrics(std::string directory, std::string version) : directory_(std::move(directory)) { sample_.version = std::move(version); }
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;
    ~Metrics() { finish(); }

    /// From now on there is something to read; an empty one: no longer. The first file is written.
    void attach(Sources sources);
    void changed();
    void state_changed(const SetId& set, State state);
    void space_seen(const std::map<SetId, std::vector<Fill>>& fills);
    /// Waits for what is being written; nothing is read from the sources afterwards.
    void finish();

    [[nodiscard]] std::string path() const { return directory_ + "/" + kFile; }

private:
    void write();

    const std::string directory_;
    std::mutex mutex_; ///< sources_, sample_
    Sources sources_;
    MetricsSample sample_; ///< the counters and fills of it
    std::string written_;  ///< of the writer's thread
    Executor writer_;
};

} // namespace quiesced
