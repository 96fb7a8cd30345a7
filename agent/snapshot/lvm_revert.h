// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "snapshot/dm_table.h"
#include "snapshot/exception_header.h"
#include "snapshot/lvm_command.h"
#include "snapshot/provider.h"

namespace quiesced {

/// As Provider::check_revert(), revert() and merges(), for thick and thin LVM snapshots. A thick one is merged by the kernel, a thin one
/// takes its origin's place; either begins at once where the origin is in no use, and else with its next activation.
Result<void> lvm_check_revert(const LvmCommand& lvm, const SetId& set, const std::vector<SnapshotRecord>& records);
Result<void> lvm_revert(const LvmCommand& lvm, const SetId& set, const std::vector<SnapshotRecord>& records);
/// `is_empty` as exception_store_is_empty().
Result<std::vector<Merge>> lvm_merges(const LvmCommand& lvm, const DmTables& tables, const std::vector<SnapshotRecord>& records,
                                      const std::function<Result<bool>(const std::string&)>& is_empty = exception_store_is_empty);

} // namespace quiesced
