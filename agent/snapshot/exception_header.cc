// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/exception_header.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>

#include "base/file.h"

namespace quiesced {
namespace {

constexpr std::uint32_t kMagic = 0x70416e53; // "SnAp"
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kLargestChunk = 32U << 20U; // LVM takes 4 KiB to 512 KiB
constexpr std::size_t kBlock = 4096;                // what direct I/O takes of every device

template <typename Number>
Number number_at(std::span<const std::byte> bytes, std::size_t at) {
    Number value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) value |= static_cast<Number>(std::to_integer<std::uint8_t>(bytes[at + i])) << (8 * i);
    return value;
}

struct Block {
    alignas(kBlock) std::array<std::byte, kBlock> bytes{};
};

Result<void> read_block(const UniqueFd& fd, const std::string& path, std::uint64_t offset, Block& block) {
    const auto got = ::pread(fd.get(), block.bytes.data(), block.bytes.size(), static_cast<off_t>(offset));
    if (got < 0) return fail_errno("cannot read " + path + " at " + std::to_string(offset), errno, ErrorKind::io);
    if (static_cast<std::size_t>(got) < block.bytes.size()) return fail(ErrorKind::io, path + " ends before " + std::to_string(offset + kBlock) + " bytes");
    return {};
}

} // namespace

Result<Bytes> parse_exception_header(std::span<const std::byte> header) {
    if (number_at<std::uint32_t>(header, 0) != kMagic) return fail(ErrorKind::io, "it does not begin with a header of device-mapper");
    if (const auto version = number_at<std::uint32_t>(header, 8); version != kVersion)
        return fail(ErrorKind::io, "it has the version " + std::to_string(version) + ", known is " + std::to_string(kVersion));
    if (number_at<std::uint32_t>(header, 4) == 0) return fail(ErrorKind::no_space, "it is marked as lost: it was full");
    const auto chunk = std::uint64_t{number_at<std::uint32_t>(header, 12)} * kSectorSize;
    if (!std::has_single_bit(chunk) || chunk > kLargestChunk) return fail(ErrorKind::io, "its chunks have " + std::to_string(chunk) + " bytes, which is no size of a chunk");
    return Bytes{chunk};
}

DiskException parse_exception(std::span<const std::byte> bytes) {
    return {.old_chunk = number_at<std::uint64_t>(bytes, 0), .new_chunk = number_at<std::uint64_t>(bytes, 8)};
}

Result<bool> exception_store_is_empty(const std::string& path) {
    auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECT);
    if (!fd && fd.error().error_number == EINVAL) fd = open_at(AT_FDCWD, path, O_RDONLY); // a file in memory
    if (!fd) return tl::unexpected<Error>(fd.error());
    Block block;
    if (auto read = read_block(*fd, path, 0, block); !read) return pass(read);
    const auto chunk = parse_exception_header(block.bytes);
    if (!chunk) return tl::unexpected<Error>(chunk.error());
    if (chunk->count % kBlock != 0) return fail(ErrorKind::io, path + " has chunks of " + chunk->text() + ", which LVM does not make");
    if (auto read = read_block(*fd, path, chunk->count, block); !read) return pass(read);
    return parse_exception(block.bytes).new_chunk == 0;
}

} // namespace quiesced
