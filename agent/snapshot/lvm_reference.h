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
};

/// JSON both ways: {"vg", "lv", "kind", "lv_uuid", "monitored"}. Errors: io, naming the key that is missing.
std::string lvm_reference_to_json(const LvmReference& reference);
Result<LvmReference> lvm_reference_from_json(const std::string& text);

} // namespace quiesced
