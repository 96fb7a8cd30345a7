// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "snapshot/dm_table.h"

namespace quiesced {

// Snapshots of a device-mapper device that is not LVM's: while there are any, the device has the table "snapshot-origin" over a
// second device of ours, the real one, which has the table that was its own.

/// The one target of a device, or null where it has none or several.
const DmTarget* single_target(const DmDevice& device, const char* type);

/// The device that a snapshot-origin or snapshot table has its data on.
std::optional<DeviceNumber> data_device(const DmDevice& device);

/// Its length; bytes.
Bytes dm_size(const DmDevice& device);

/// The real device of an origin that has snapshots of ours already. Nothing where it has none. Errors: kernel.
Result<std::optional<DmDevice>> real_of(const DmTables& tables, const DmDevice& origin);

/// What an origin is, for people: "dm-crypt", "linear".
std::string table_kind(const DmDevice& device);

/// Why no snapshot of a device can be taken, whose own table this is (that of the real device, where there is one): a sentence
/// without its full stop, with what to do; empty when it can.
std::string table_refusal(const DmDevice& device);

} // namespace quiesced
