// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "snapshot/dm_reference.h"
#include "snapshot/dm_table.h"
#include "snapshot/fill.h"

namespace quiesced {

/// Why a snapshot of the dm provider is worth nothing any more, a sentence without its full stop; empty while it is good, and where
/// the kernel does not say. Such a snapshot does not outlive the boot: its origin comes up with its own table, and what is then
/// written goes past the snapshot.
std::string dm_snapshot_loss(const DmTables& tables, const DmReference& reference);

/// The fill of its store.
std::vector<Fill> dm_fills(const DmTables& tables, const std::string& volume, const DmReference& reference);

} // namespace quiesced
