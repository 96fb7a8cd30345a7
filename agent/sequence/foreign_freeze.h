// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>

#include "base/ids.h"
#include "freeze/freezer_client.h"
#include "sequence/freeze_plan.h"

namespace quiesced {

/// Whether somebody else holds a member frozen, which the kernel does not tell: a short window over all of them, with all that
/// protects one, is tried. For after an arm that failed: lvcreate fails on a frozen origin (Linux 6.1) and does not
/// say why. Writers stall for as long as they do for the snapshot itself. Returns the error that names the member, or nothing.
std::optional<Error> find_foreign_freeze(const SetId& set, const SetPlan& plan, const MountOpener& opener,
                                         std::unique_ptr<FreezerLauncher> launcher, WindowKernel kernel,
                                         const FreezerClient::Options& options);

} // namespace quiesced
