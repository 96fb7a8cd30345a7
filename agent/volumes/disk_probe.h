// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/result.h"
#include "volumes/block_graph.h"
#include "volumes/disk.h"

namespace quiesced {

/// What sysfs tells of a leaf device: identity, transport, and the placement that follows from them with its
/// evidence. Opens no device. Attributes that are missing or unreadable leave their texts empty.
/// Errors: kernel (the device has no path in sysfs any more).
Result<Disk> probe_disk(const BlockNode& node, const std::string& sysfs = "/sys");

/// Decides `guess`, `placement` and `evidence` from the other fields of a disk. Callable again when one has changed.
void judge_placement(Disk& disk);

} // namespace quiesced
