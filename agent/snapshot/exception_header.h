// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

// The head of a persistent copy-on-write store of device-mapper (drivers/md/dm-snap-persistent.c): a header in its first chunk, then areas of
// exceptions. All numbers are little-endian.

/// Bytes of an exception: the origin's chunk, and the store's chunk that has what was there.
inline constexpr std::size_t kExceptionSize = 16;

/// struct disk_exception of the kernel.
struct DiskException {
    std::uint64_t old_chunk = 0;
    std::uint64_t new_chunk = 0; ///< 0, the header's: there is none, nor one behind it
};

/// The size of the chunks, from the first 16 bytes of a store. Errors: io (it is no such store), no_space (the snapshot is lost).
Result<Bytes> parse_exception_header(std::span<const std::byte> header);
/// `bytes` has at least kExceptionSize.
DiskException parse_exception(std::span<const std::byte> bytes);

/// Whether a store, a device or file that nobody writes to, has nothing of its origin: nothing was copied, or a merge has brought all of it back,
/// which clears the exceptions from the last one to the first. Reads past the page cache. Errors: io, no_space.
Result<bool> exception_store_is_empty(const std::string& path);

} // namespace quiesced
