// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "ctl/doctor.h"

namespace quiesced {

/// Makes an ext4 in a file of its own below `folder` (16 MiB, sparse), mounts it from a loop device, freezes and thaws it, and removes
/// all of it again. Nothing else is ever frozen: the descriptor must be of that loop device. For root; blocks SIGINT, SIGTERM and
/// SIGHUP meanwhile, so that nothing is left.
LoopFacts probe_loop(const std::string& folder);

} // namespace quiesced
