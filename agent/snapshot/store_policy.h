// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

/// The chunks of a copy-on-write store where nothing else is configured: by the table in docs/snapshots.md, and lvcreate's own.
inline constexpr Bytes kDefaultChunk{4096};

/// How large the copy-on-write store of a thick snapshot is made. It has to take what is overwritten on the origin for as
/// long as the snapshot lives; one that fills up is lost. Whatever is asked for, it is at most what a store can use: the origin and
/// the tables of its chunks.
struct StorePolicy {
    enum class Base {
        writes, ///< percent of what was written to the origin in the last hour; at least 512 MiB, and 10 % of the origin
        bytes,  ///< that size
        size,   ///< percent of the origin's size
        used,   ///< percent of what is used in the file systems on it; as `size` where that is not known
        free,   ///< percent of what is free in the volume group, shared by the set's snapshots in it by the sizes of their origins
    };
    Base base = Base::writes;
    std::uint64_t value = 200; ///< percent (1 to 1000), or bytes
    /// What the first write to a place of the origin copies, and the store keeps. LVM takes powers of two from 4 KiB to 512 KiB.
    Bytes chunk = kDefaultChunk;
};

/// "auto", "512M" (K, M, G, T of 1024), "20%SIZE", "200%USED", "50%FREE" (as lvcreate has it). Errors: invalid_argument.
Result<StorePolicy> parse_store_policy(const std::string& text);

/// What a requestor wants of its snapshots, and what is known that bears on them.
struct SnapshotWishes {
    StorePolicy store = {};
    std::map<DeviceNumber, std::uint64_t> written = {}; ///< bytes in the last hour, by device; those that are known
};

} // namespace quiesced
