// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "ctl/screen.h"
#include "view/manifest_view.h"

namespace quiesced {

/// One set for people: what it is, its members, what failed.
std::string render_set(const ManifestView& set, const Screen& screen = {});

/// One line a set.
std::string render_sets(const std::vector<ManifestView>& sets, const Screen& screen = {});

/// What each member's file system went through: VOLUME FSTYPE FLUSH FREEZE HOLD THAW ERROR
std::string render_member_times(const ManifestView& set, const Screen& screen = {});

} // namespace quiesced
