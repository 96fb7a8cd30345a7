// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace quiesced {

/// A part of a device, in bytes.
struct ByteRange {
    std::uint64_t start = 0;
    std::uint64_t length = 0;
    auto operator<=>(const ByteRange&) const = default;
};

/// Sorted, with what overlaps or touches made one, and cut off at the device's end.
std::vector<ByteRange> merge_ranges(std::vector<ByteRange> ranges, std::uint64_t size);

} // namespace quiesced
