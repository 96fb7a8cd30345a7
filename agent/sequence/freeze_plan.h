// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "freeze/record.h"
#include "sequence/planner.h"

namespace quiesced {

/// Opens every file system of a plan, checking that each path is still the mount that was planned, and puts the freezer's
/// plan together: members in the plan's order, then carried ones. `chains` are the providers'.
/// Errors: no_such_volume (gone or replaced meanwhile), kernel.
Result<FreezePlan> make_freeze_plan(const SetId& set, const SetPlan& plan, std::vector<DmChain> chains);

} // namespace quiesced
