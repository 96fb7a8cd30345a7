// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/result.h"

namespace quiesced {

inline constexpr const char* kLvmProviderName = "lvm";

/// What the lvm provider keeps of a snapshot in SnapshotRecord::reference.
struct LvmReference {
    std::string group;      ///< when it was made; the UUID counts
    std::string name;       ///< likewise
    std::string kind;       ///< "thick", "thin"
    std::string uuid;       ///< lv_uuid
    bool monitored = false; ///< dmeventd watches the fill of its store
    std::string dm_uuid = {}; ///< of its device; empty in those of older releases
    std::string pool = {};    ///< name of the pool of a thin one; likewise
};

/// JSON both ways: {"vg", "lv", "kind", "lv_uuid", "monitored", "dm_uuid", "pool"}. Errors: io, naming the key that is missing.
std::string lvm_reference_to_json(const LvmReference& reference);
Result<LvmReference> lvm_reference_from_json(const std::string& text);

} // namespace quiesced
