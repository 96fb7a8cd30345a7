// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace quiesced {

/// An active swap area, as in /proc/swaps.
struct SwapArea {
    std::string path;     ///< unescaped: a file, or a device node
    bool is_file = false; ///< else a block device
    DeviceNumber place;   ///< a file's volume (its superblock), or the block device; 0:0 where it is not found
    Bytes size;
};

/// Parses the text of /proc/swaps; `place` stays 0:0. A line that cannot be understood costs that line only.
std::vector<SwapArea> parse_swaps(std::string_view text);

} // namespace quiesced
