// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "snapshot/lvm_command.h"
#include "snapshot/provider.h"

namespace quiesced {

/// Makes `grows`, an LV with a store or a pool's data, larger by so many percent, up to `most`. Errors: as Provider::extend(), in which `fill`
/// names it.
Result<Extension> lvm_extend_volume(const LvmCommand& lvm, const LogicalVolume& grows, Bytes most, const Fill& fill, unsigned percent);

/// Makes the store of a thick LVM snapshot larger, or data or metadata of the pool of a thin one, as `fill` says. Leaves alone what LVM
/// extends by itself. Errors: as Provider::extend().
Result<Extension> lvm_extend(const LvmCommand& lvm, const SnapshotRecord& record, const Fill& fill, unsigned percent);

} // namespace quiesced
