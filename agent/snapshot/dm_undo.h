// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "snapshot/dm_device.h"
#include "snapshot/lvm_command.h"

namespace quiesced {

/// Removes all that the dm provider has made for a set, from whatever state it is in: its snapshots; then each origin that has no
/// snapshot of ours any more gets its own table back, and its real device goes; then the stores. Needs nothing but the id:
/// the devices say by their UUIDs what they are, and the stores by their tags. Nothing there is no error. What fails is named,
/// the rest is done all the same, and it can be called again. Not beside an arm, whose devices have no snapshot yet.
/// Errors: busy (a snapshot is mounted), kernel, lvm_failed.
Result<void> undo_dm_set(const SetId& set, DmDevices& devices, const LvmCommand& lvm);

} // namespace quiesced
