// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/ranges.h"

#include <algorithm>

namespace quiesced {

std::vector<ByteRange> merge_ranges(std::vector<ByteRange> ranges, std::uint64_t size) {
    std::sort(ranges.begin(), ranges.end());
    std::vector<ByteRange> merged;
    for (auto range : ranges) {
        if (range.start >= size || range.length == 0) continue;
        range.length = std::min(range.length, size - range.start);
        if (merged.empty() || range.start > merged.back().start + merged.back().length) {
            merged.push_back(range);
            continue;
        }
        auto& last = merged.back();
        last.length = std::max(last.length, range.start + range.length - last.start);
    }
    return merged;
}

} // namespace quiesced
