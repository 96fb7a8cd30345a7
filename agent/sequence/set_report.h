// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <limits>

#include "freeze/record.h"
#include "sequence/planner.h"
#include "sequence/timeline.h"
#include "snapshot/manifest.h"
#include "writers/writer.h"

namespace quiesced {

/// The manifest of a set that was just planned.
Manifest new_manifest(const SetId& id, const SetPlan& plan);

/// When everything of a window was frozen, by its record, in Monotonic's nanoseconds. Empty (`first_thaw` is the greatest number)
/// at its end while nothing was thawed.
struct FrozenSpan {
    std::int64_t last_frozen = 0;
    std::int64_t first_thaw = std::numeric_limits<std::int64_t>::max();
    [[nodiscard]] bool contains(std::int64_t start, std::int64_t end) const { return start >= last_frozen && end <= first_thaw; }
};
FrozenSpan frozen_span(const Record& record);

/// Fills in the times of a window from its record, and the timeline relative to the window's start.
void report_window(Manifest& manifest, const Record& record, const Timeline& timeline);

/// What a set's members are worth, by what really happened: "filesystem" when every cut (dm chains of the record, the
/// `commits` of plugins and the reports of a host) lies after the last FIFREEZE's return and before the first FITHAW's start; "crash" otherwise.
/// A member that somebody else froze, where that is accepted, is worth "filesystem" only if it was seen to be still frozen after
/// the last cut; else it alone is "crash", with a note. Sets the members' and the set's consistency. Returns the reason
/// why the set failed, empty when it did not.
std::string judge_window(Manifest& manifest, const Record& record, const std::vector<Timeline::Span>& commits);

/// Enters what became of the writers, of a set that failed as well.
void note_writers(Manifest& manifest, const std::vector<WriterReport>& writers);

/// The same of a set whose window was judged. A member that is worth "filesystem" is worth "application" if writers that raise concern it
/// and all that concern it were quiesced; the set, if all its members are.
void report_writers(Manifest& manifest, const std::vector<WriterReport>& writers);

} // namespace quiesced
