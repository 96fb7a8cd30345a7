// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/result.h"
#include "view/json_read.h"

namespace quiesced {

/// The devices of what Plan answered, as graphviz lays them out: volumes by the level that they are frozen in, the layers below
/// them, and the disks, coloured by placement. An SVG document. Errors: io (no graph in it, no layout engine installed).
Result<std::string> draw_plan(const Json& plan);

} // namespace quiesced
