// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "diff/ranges.h"

namespace quiesced {

/// Reads what thin_delta(8) prints: the ranges of blocks that are not shared, in bytes of the thin devices; merged. `block` and `size`
/// in bytes. Errors: io.
Result<std::vector<ByteRange>> parse_thin_delta(const std::string& text, std::uint64_t block, std::uint64_t size);

/// A thin device in its pool.
struct ThinDevice {
    DeviceNumber pool;
    std::uint32_t id = 0;
};
/// Of the table of a thin device: "253:4 7". Errors: io.
Result<ThinDevice> parse_thin_table(const std::string& text);

/// What a thin pool's table says: "253:2 253:3 128 0 0".
struct ThinPool {
    DeviceNumber metadata;
    std::uint64_t block = 0; ///< bytes
};
Result<ThinPool> parse_pool_table(const std::string& text);

/// The blocks in which two devices of an active pool differ, by a snapshot of the pool's metadata, which is taken for it and given up
/// before this returns; signals that would end the process wait meanwhile. Needs root. Errors: busy (somebody else holds the one snapshot
/// that there can be), unsupported (thin_delta is not installed), kernel, io.
Result<std::vector<ByteRange>> thin_changes(DeviceNumber pool, const ThinPool& table, std::uint32_t one, std::uint32_t other, std::uint64_t size);

} // namespace quiesced
