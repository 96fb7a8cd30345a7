// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "snapshot/dm_table.h"
#include "snapshot/lvm_command.h"
#include "snapshot/provider.h"

namespace quiesced {

/// Makes the store of a dm snapshot larger. Its table stays: the kernel asks the store for its size at each new exception
/// (persistent_prepare_exception(), drivers/md/dm-snap-persistent.c, Linux 6.1 and 6.12). Errors: as Provider::extend().
Result<Extension> dm_extend(const DmTables& tables, const LvmCommand& lvm, const SnapshotRecord& record, const Fill& fill, unsigned percent);

} // namespace quiesced
