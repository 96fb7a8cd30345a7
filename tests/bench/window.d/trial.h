// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>

#include "base/result.h"
#include "bench/window.d/contestant.h"
#include "bench/window.d/write_meter.h"

namespace quiesced::bench {

/// The bench's own file systems, the types in turn, each at least so large.
Result<std::vector<std::unique_ptr<LoopVolume>>> make_volumes(const std::string& folder, const std::vector<std::string>& types, unsigned count,
                                                              unsigned mebibytes);

/// Writes `mebibytes` to each, after all that was dirty before is on the device.
Result<void> make_dirty(const Volumes& volumes, unsigned mebibytes);

/// The longest stall over all writers, and whose it was.
struct Stalled {
    Stall stall;
    std::string volume;
};

/// One window while a writer writes to each volume. On error all are thawed.
Result<Stalled> measure_stall(Contestant& contestant, const Volumes& volumes, std::chrono::milliseconds period);

/// How long quiesced's own window is while nobody writes. On error all are thawed.
Result<std::chrono::nanoseconds> measure_quiet_window(QuiescedContestant& contestant, const Volumes& volumes);

/// The writers only, for as long as a window may take.
class NoContestant final : public Contestant {
public:
    [[nodiscard]] std::string name() const override { return "nothing"; }
    Result<void> prepare(const Volumes&) override { return {}; }
    Result<void> pass_window() override;
    Result<void> finish() override { return {}; }
};

/// From the SIGKILL of a process that holds all volumes frozen through quiesced's freezer to the return of the last writer's
/// write. `freezer`, `folder` as for QuiescedContestant.
Result<std::chrono::nanoseconds> measure_kill_release(const std::string& freezer, const std::string& folder, const Volumes& volumes);

} // namespace quiesced::bench
