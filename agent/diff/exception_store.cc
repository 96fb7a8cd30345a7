// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/exception_store.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

#include "base/ids.h"

namespace quiesced {
namespace {

constexpr std::uint32_t kMagic = 0x70416e53; // "SnAp"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderSize = 16;
constexpr std::size_t kExceptionSize = 16;
constexpr std::uint64_t kLargestChunk = 32U << 20U; // LVM takes 4 KiB to 512 KiB

/// Little-endian.
template <typename Number>
Number number_at(std::span<const std::byte> bytes, std::size_t at) {
    Number value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) value |= static_cast<Number>(std::to_integer<std::uint8_t>(bytes[at + i])) << (8 * i);
    return value;
}

/// The chunk in bytes.
Result<std::uint64_t> parse_header(std::span<const std::byte> header) {
    if (number_at<std::uint32_t>(header, 0) != kMagic) return fail(ErrorKind::io, "it does not begin with a header of device-mapper");
    if (const auto version = number_at<std::uint32_t>(header, 8); version != kVersion)
        return fail(ErrorKind::io, "it has the version " + std::to_string(version) + ", known is " + std::to_string(kVersion));
    if (number_at<std::uint32_t>(header, 4) == 0) return fail(ErrorKind::no_space, "it is marked as lost: it was full");
    const auto chunk = std::uint64_t{number_at<std::uint32_t>(header, 12)} * kSectorSize;
    if (!std::has_single_bit(chunk) || chunk > kLargestChunk) return fail(ErrorKind::io, "its chunks have " + std::to_string(chunk) + " bytes, which is no size of a chunk");
    return chunk;
}

/// Adds what an area says; whether there may be another one behind it.
bool parse_area(std::span<const std::byte> area, std::uint64_t chunk, std::uint64_t origin_size, std::vector<ByteRange>& changed) {
    for (std::size_t at = 0; at + kExceptionSize <= area.size(); at += kExceptionSize) {
        const auto old_chunk = number_at<std::uint64_t>(area, at);
        if (number_at<std::uint64_t>(area, at + 8) == 0) return false; // the header's chunk: this is the end
        if (old_chunk > origin_size / chunk) continue; // beyond the end of the origin
        changed.push_back({old_chunk * chunk, chunk});
    }
    return true;
}

} // namespace

Result<ExceptionStore> read_exception_store(const ReadAt& read, std::uint64_t store_size, std::uint64_t origin_size) {
    std::array<std::byte, kSectorSize> head{};
    if (store_size < head.size()) return fail(ErrorKind::io, "it is too small for a header");
    if (auto done = read(0, head); !done) return pass(done);
    static_assert(kSectorSize >= kHeaderSize);
    const auto chunk = parse_header(head);
    if (!chunk) return tl::unexpected<Error>(chunk.error());
    ExceptionStore store{.chunk = *chunk, .changed = {}};
    const auto per_area = *chunk / kExceptionSize;
    std::vector<std::byte> area(*chunk);
    for (std::uint64_t at = *chunk; at + *chunk <= store_size; at += (per_area + 1) * *chunk) {
        if (auto done = read(at, area); !done) return pass(done);
        if (!parse_area(area, *chunk, origin_size, store.changed)) break;
    }
    store.changed = merge_ranges(std::move(store.changed), origin_size);
    return store;
}

} // namespace quiesced
