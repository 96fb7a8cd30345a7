// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>

#include "view/manifest_view.h"
#include "view/text.h"

namespace quiesced {

/// The sequence of a set, drawn in characters: first all steps, with the window between two bars on every line, then the
/// window by itself, enlarged, with each member's freeze (>), hold (=) and thaw (<). Empty for a set without times.
std::string render_timeline(const ManifestView& set, std::size_t width = kScreenWidth);

} // namespace quiesced
