// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oracle/record.h"

#include <fcntl.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/file.h"

namespace quiesced::oracle {

namespace {

constexpr std::array<char, 8> kMagic{'q', 'o', 'r', 'a', 'c', 'l', 'e', '1'};

/// Where things are: magic, run, sequence, volume, volumes, filler up to the checksum, checksum. Little-endian.
constexpr std::size_t kRunAt = 8;
constexpr std::size_t kSequenceAt = 16;
constexpr std::size_t kVolumeAt = 24;
constexpr std::size_t kVolumesAt = 28;
constexpr std::size_t kFillerAt = 32;
constexpr std::size_t kChecksumAt = kRecordSize - 8;

template <typename Number>
void put(RecordBytes& bytes, std::size_t at, Number number) {
    for (std::size_t i = 0; i < sizeof number; ++i) bytes[at + i] = static_cast<std::byte>(number >> (8 * i));
}

template <typename Number>
Number get(std::span<const std::byte> bytes, std::size_t at) {
    Number number = 0;
    for (std::size_t i = 0; i < sizeof number; ++i) {
        number |= static_cast<Number>(static_cast<Number>(bytes[at + i]) << (8 * i));
    }
    return number;
}

/// SplitMix64: any number in, a well mixed one out.
std::uint64_t mix(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
}

/// FNV-1a over everything before the checksum.
std::uint64_t checksum(std::span<const std::byte> bytes) {
    std::uint64_t sum = 0xcbf29ce484222325U;
    for (const std::byte byte : bytes.first(kChecksumAt)) {
        sum = (sum ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
    }
    return sum;
}

} // namespace

RecordBytes encode(const Record& record) {
    RecordBytes bytes{};
    std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
    put(bytes, kRunAt, record.run);
    put(bytes, kSequenceAt, record.sequence);
    put(bytes, kVolumeAt, record.volume);
    put(bytes, kVolumesAt, record.volumes);
    const std::uint64_t seed = mix(record.run) ^ mix(record.sequence);
    for (std::size_t at = kFillerAt; at < kChecksumAt; at += 8) put(bytes, at, mix(seed + at));
    put(bytes, kChecksumAt, checksum(bytes));
    return bytes;
}

Result<Record> decode(std::span<const std::byte> bytes) {
    if (bytes.size() != kRecordSize) {
        return fail(ErrorKind::io,
                    "it has " + std::to_string(bytes.size()) + " bytes instead of " + std::to_string(kRecordSize));
    }
    if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) return fail(ErrorKind::io, "it is not a record");
    if (get<std::uint64_t>(bytes, kChecksumAt) != checksum(bytes)) {
        return fail(ErrorKind::io, "the record is torn: its checksum does not match");
    }
    Record record;
    record.run = get<std::uint64_t>(bytes, kRunAt);
    record.sequence = get<std::uint64_t>(bytes, kSequenceAt);
    record.volume = get<std::uint32_t>(bytes, kVolumeAt);
    record.volumes = get<std::uint32_t>(bytes, kVolumesAt);
    return record;
}

Result<Record> read_record(const std::string& directory) {
    const std::string path = directory + "/" + kRecordName;
    const auto content = read_file(path, 2 * kRecordSize);
    if (!content) return tl::unexpected<Error>(content.error());
    auto record = decode(std::as_bytes(std::span(*content)));
    if (!record) record.error().context = path + ": " + record.error().context;
    return record;
}

} // namespace quiesced::oracle
