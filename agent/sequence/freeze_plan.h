// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/kernel.h"
#include "freeze/record.h"
#include "sequence/planner.h"

namespace quiesced {

/// A mount that was opened, and what it is.
struct OpenedMount {
    UniqueFd fd;
    MountIdentity identity;
};

/// Opens the mount at a path. Replaced in simulations.
using MountOpener = std::function<Result<OpenedMount>(const std::string& path)>;
Result<OpenedMount> open_mount(const std::string& path);

/// Opens every file system of a plan, checking that each path is still the mount that was planned, and puts the freezer's
/// plan together: members in the plan's order, then carried ones. `chains` are the providers'.
/// Errors: no_such_volume (gone or replaced meanwhile), kernel.
Result<FreezePlan> make_freeze_plan(const SetId& set, const SetPlan& plan, std::vector<DmChain> chains, const MountOpener& opener);

} // namespace quiesced
