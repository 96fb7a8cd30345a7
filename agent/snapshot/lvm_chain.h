// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/result.h"
#include "freeze/dm_chain.h"
#include "snapshot/dm_table.h"
#include "snapshot/lvm_report.h"

namespace quiesced {

/// The dm work that turns an armed LVM snapshot of any age into one of the moment of fire. Reads the live tables of an
/// origin and its armed snapshot, thick or thin as the origin is; changes nothing.
/// Errors: kernel (a device is not there), lvm_failed (its table is not what LVM makes), busy (it is suspended).
Result<DmChain> lvm_chain(const DmTables& tables, const LogicalVolume& origin, const LogicalVolume& snapshot);

/// What is wrong with a thick snapshot after the fire, by its status: nothing (empty), lost for lack of space, ...
std::string thick_snapshot_problem(const DmDevice& status);

} // namespace quiesced
