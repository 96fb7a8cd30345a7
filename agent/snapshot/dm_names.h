// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/ids.h"

namespace quiesced {

inline constexpr const char* kDmProviderName = "dm";

/// On the logical volumes that hold the copy-on-write stores of the dm provider, beside the tags of every LV of ours.
inline constexpr const char* kDmStoreTag = "quiesced.store";

/// The two devices that a snapshot of the dm provider is made of.
enum class DmPart {
    real, ///< has the origin's own table, while the origin's is snapshot-origin. One for all snapshots of an origin: of
          ///< the set that was the first
    snapshot,
};

/// What a device of ours says of itself by its UUID: "QUIESCED-dm-SET-INDEX-real" or "...-snap". Whoever finds the device knows by
/// that what to undo, without a file.
struct DmIdentity {
    SetId set;
    std::size_t index = 0; ///< of the snapshot in its set
    DmPart part = DmPart::snapshot;
};
std::string dm_uuid(const DmIdentity& identity);
/// Nothing for a device that is not ours.
std::optional<DmIdentity> dm_identity(const std::string& uuid);

/// Name of the snapshot of `origin` in a set, "ORIGIN-qSET", and for its real device "...-real"; "qSET-INDEX" where that would be
/// too long or has a character that is none for a file's name.
std::string dm_snapshot_name(const std::string& origin, const SetId& set, std::size_t index);
std::string dm_real_name(const std::string& snapshot_name);

/// Name of the logical volume with its store, and back to the index.
std::string dm_store_name(const SetId& set, std::size_t index);
std::optional<std::size_t> dm_store_index(const SetId& set, const std::string& name);

} // namespace quiesced
