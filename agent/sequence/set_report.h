// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "freeze/record.h"
#include "sequence/planner.h"
#include "sequence/timeline.h"
#include "snapshot/manifest.h"

namespace quiesced {

/// The manifest of a set that was just planned.
Manifest new_manifest(const SetId& id, const SetPlan& plan);

/// Fills in the times of a window from its record, and the timeline relative to the window's start.
void report_window(Manifest& manifest, const Record& record, const Timeline& timeline);

/// What a set's members are worth, by what really happened: "filesystem" when every cut (dm chains of the record, the
/// `commits` of plugins) lies after the last FIFREEZE's return and before the first FITHAW's start; "crash" otherwise.
/// A member that somebody else froze, where that is accepted, is worth "filesystem" only if it was seen to be still frozen after
/// the last cut; else it alone is "crash", with a note. Sets the members' and the set's consistency. Returns the reason
/// why the set failed, empty when it did not.
std::string judge_window(Manifest& manifest, const Record& record, const std::vector<Timeline::Span>& commits);

/// Writers were quiesced, too: members that are worth "filesystem" are worth "application".
void raise_to_application(Manifest& manifest);

} // namespace quiesced
