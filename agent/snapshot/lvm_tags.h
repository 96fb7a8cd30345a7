// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "snapshot/lvm_report.h"

namespace quiesced {

// What an LV says of its set by its tags, so that the set is known when its manifest is lost. "quiesced" and "quiesced.set=ID" are in
// lvm_report.h.

/// The snapshot was cut with its whole set, and the set was good. Without it, an LV may be a snapshot of any moment.
inline constexpr const char* kLvmCutTag = "quiesced.cut";

/// A member whose data are in the snapshot.
struct TaggedMember {
    std::string volume;      ///< Volume::name
    std::string file_system; ///< "ext4"
};

/// Its tag: "quiesced.member=ext4:/srv/data"; bytes that LVM takes in no tag as "&XX". Nothing where it would be longer than LVM
/// takes (1024 bytes).
std::optional<std::string> lvm_member_tag(const TaggedMember& member);

/// The members that an LV's tags name; tags that make no sense are passed over.
std::vector<TaggedMember> lvm_tagged_members(const LogicalVolume& volume);

/// The set that an LV's tags name.
std::optional<SetId> lvm_tagged_set(const LogicalVolume& volume);

} // namespace quiesced
