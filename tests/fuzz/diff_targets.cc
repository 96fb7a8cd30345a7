// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstring>
#include <string>

#include "diff/exception_store.h"
#include "diff/thin_delta.h"
#include "fuzz/target.h"

namespace quiesced::fuzz {
namespace {

constexpr std::uint64_t kSize = 1U << 30U;

void require_sound(const std::vector<ByteRange>& ranges) {
    std::uint64_t end = 0;
    for (const auto& range : ranges) {
        require(range.length > 0 && range.start + range.length <= kSize, "a range lies within the device");
        require(end == 0 || range.start > end, "ranges are sorted and do not touch");
        end = range.start + range.length;
    }
}

} // namespace

void run_exception_store(std::string_view input) {
    const auto read = [input](std::uint64_t offset, std::span<std::byte> into) -> Result<void> {
        require(offset <= input.size() && into.size() <= input.size() - offset, "nothing beyond the end is read");
        std::memcpy(into.data(), input.data() + offset, into.size());
        return {};
    };
    const auto store = read_exception_store(read, input.size(), kSize);
    if (store) return require_sound(store->changed);
    require(!store.error().context.empty(), "an error says what happened");
}

void run_thin_delta(std::string_view input) {
    const auto ranges = parse_thin_delta(std::string(input), 65536, kSize);
    if (ranges) return require_sound(*ranges);
    require(!ranges.error().context.empty(), "an error says what happened");
}

void run_thin_table(std::string_view input) {
    const std::string text(input);
    if (const auto pool = parse_pool_table(text)) require(pool->block > 0, "a block is something");
    if (const auto device = parse_thin_table(text)) require(device->pool.text().size() >= 3, "a pool has a number");
}

} // namespace quiesced::fuzz
