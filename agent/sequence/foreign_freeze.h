// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>

#include "base/ids.h"
#include "freeze/freezer_client.h"
#include "sequence/freeze_plan.h"

namespace quiesced {

/// Refuses when somebody else holds a member frozen that cannot be armed then without damage (Provider::arm_needs_thawed()). The kernel
/// does not tell, so a short window over those members is tried, with all that protects one; writers stall for as long as they do
/// for the set's own window, which is less than that arm makes them. `leave` gets the freezer when the window failed: something
/// of it may be stuck. Errors: foreign_freeze and what FreezerClient::freeze() brings.
Result<void> refuse_foreign_freeze(const SetId& set, const SetPlan& plan, const MountOpener& opener,
                                   std::unique_ptr<FreezerLauncher> launcher, WindowKernel kernel,
                                   const FreezerClient::Options& options,
                                   const std::function<void(std::shared_ptr<FreezerClient>)>& leave);

} // namespace quiesced
