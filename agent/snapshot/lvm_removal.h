// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "snapshot/dm_table.h"
#include "snapshot/lvm_command.h"

namespace quiesced {

/// Removes snapshots of a set. An lvremove that is killed in the midst of it leaves the origin suspended (docs/kernel.md), and the next one
/// removes the snapshot and does not resume it: where this one or an earlier one was, the origins are seen to. Errors: as
/// LvmCommand::remove() and refresh().
Result<void> lvm_remove_snapshots(const LvmCommand& lvm, const DmTables& tables, const SetId& set, const std::vector<LogicalVolume>& snapshots);

} // namespace quiesced
