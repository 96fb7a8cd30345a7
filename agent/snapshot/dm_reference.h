// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

/// What the dm provider keeps of a snapshot in SnapshotRecord::reference. Nothing of the origin's table, which may hold a key.
struct DmReference {
    std::string snapshot;  ///< dm UUID of the snapshot's device
    DeviceNumber origin;   ///< in the boot in which it was taken
    std::string origin_name; ///< of its device, likewise
    std::string group;     ///< volume group of the store
    std::string store;     ///< logical volume with the store
    std::string store_uuid; ///< its lv_uuid
};

/// JSON both ways: {"dm_uuid", "origin", "origin_name", "vg", "lv", "lv_uuid"}. Errors: io, naming the key that is missing.
std::string dm_reference_to_json(const DmReference& reference);
Result<DmReference> dm_reference_from_json(const std::string& text);

} // namespace quiesced
