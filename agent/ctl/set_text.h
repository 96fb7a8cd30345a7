// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "ctl/manifest_view.h"

namespace quiesced {

/// One set for people: what it is, its members, what failed.
std::string render_set(const ManifestView& set);

/// One line a set.
std::string render_sets(const std::vector<ManifestView>& sets);

} // namespace quiesced
