// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace quiesced::oracle {

/// Name of the record file in each volume's directory.
inline constexpr const char* kRecordName = "oracle.record";

/// Bytes of a record: one page, which the page cache and every file system here write as a whole.
inline constexpr std::size_t kRecordSize = 4096;
using RecordBytes = std::array<std::byte, kRecordSize>;

/// What the writer leaves on one volume, over and over in the same place.
struct Record {
    std::uint64_t run = 0;      ///< one number for each start of the writer, so that records of two runs never mix
    std::uint64_t sequence = 0; ///< rises by 1 with every round over all volumes
    std::uint32_t volume = 0;   ///< position in the writer's order, from 0
    std::uint32_t volumes = 0;  ///< how many there are
    bool operator==(const Record&) const = default;
};

/// The record's bytes. All of them depend on run and sequence, so that a record of which only some sectors were
/// written cannot pass its checksum.
RecordBytes encode(const Record& record);

/// Errors: io (wrong length, no record, or torn).
Result<Record> decode(std::span<const std::byte> bytes);

/// Reads <directory>/oracle.record. Errors: kernel with errno, io as decode(); both name the file.
Result<Record> read_record(const std::string& directory);

} // namespace quiesced::oracle
