// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>

#include "ctl/manifest_view.h"
#include "ctl/table.h"

namespace quiesced {

/// The sequence of a set, drawn in characters: first all steps, with the window between two bars on every line, then the
/// window by itself, enlarged, with each member's freeze (>), hold (=) and thaw (<). Empty for a set without times.
std::string render_timeline(const ManifestView& set, std::size_t width = kScreenWidth);

/// "5.3 ms", "1.25 s", "35 us": three digits at most, for people.
std::string duration_text(double ms);

} // namespace quiesced
