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
/// Sets the members' and the set's consistency. Returns the reason when it is "crash".
std::string judge_window(Manifest& manifest, const Record& record, const std::vector<Timeline::Span>& commits);

} // namespace quiesced
