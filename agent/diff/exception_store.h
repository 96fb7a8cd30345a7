// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "diff/device.h"

namespace quiesced {

/// What a persistent copy-on-write store of device-mapper has copied of its origin.
struct ExceptionStore {
    std::uint64_t chunk = 0;        ///< bytes
    std::vector<ByteRange> changed; ///< of the origin, in whole chunks, merged
};

/// Reads the store of a dm snapshot (drivers/md/dm-snap-persistent.c: a header in the first chunk, then areas of one chunk of
/// exceptions, each followed by the chunks that it speaks of). That of an active snapshot has all exceptions whose write the origin has
/// completed: the kernel commits them before. `store_size` and `origin_size` in bytes.
/// Errors: io (it is no such store, or garbled), no_space (the snapshot is lost).
Result<ExceptionStore> read_exception_store(const ReadAt& read, std::uint64_t store_size, std::uint64_t origin_size);

} // namespace quiesced
