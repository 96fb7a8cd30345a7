// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "view/manifest_view.h"

namespace quiesced {

/// A Gantt chart of a set: first all steps of its sequence with the window marked, then the window by itself with each member's
/// flush, freeze, hold and thaw, and the cuts. An SVG document; texts in it are texts.
std::string draw_timeline(const ManifestView& set);

} // namespace quiesced
