// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ctl/screen.h"
#include "view/json_read.h"

namespace quiesced {

// A volume is an element of what ListVolumes returns; dbus/org.quiesced1.Manager.xml has its keys.

/// A column of `quiescectl volumes`.
struct VolumeColumn {
    std::string_view name; ///< "MOUNTPOINTS"
    std::string_view key;  ///< of ListVolumes: "mount_points"
    std::string_view what; ///< a sentence
    bool size = false;     ///< bytes, shown with a unit
    bool shown = false;    ///< without --output
    bool wraps = false;    ///< may go on in the next line; the others are short, or to be copied
};

/// All of them.
const std::vector<VolumeColumn>& volume_columns();

/// "NAME,SIZE" for these, "+UUID" for one more than usual, "" for the usual ones; small letters count as capital ones.
/// Errors: invalid_argument for a name that is none; it lists them all.
Result<std::vector<VolumeColumn>> choose_columns(const std::string& text);

/// For --output help: a line for each column.
std::string describe_columns(const Screen& screen);

/// Whether anybody would look for it in a list of what can be snapshotted: it has a disk or a server, so that proc,
/// tmpfs and their like are left out.
bool is_of_interest(const Json& volume);

std::string render_volumes(const Json& volumes, const std::vector<VolumeColumn>& columns, const Screen& screen);

/// Each volume with the keys of these columns only.
Json only_columns(const Json& volumes, const std::vector<VolumeColumn>& columns);

} // namespace quiesced
