// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "snapshot/dm_table.h"
#include "snapshot/fill.h"
#include "snapshot/lvm_reference.h"

namespace quiesced {

/// The fill of the place where an LVM snapshot lives: its store, or data and metadata of its pool. Asks device-mapper alone.
/// Nothing for one that is not active, nor for a record of a release that did not note its device.
std::vector<Fill> lvm_fills(const DmTables& tables, const std::string& volume, const LvmReference& reference);

} // namespace quiesced
