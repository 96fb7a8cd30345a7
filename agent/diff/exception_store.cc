// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/exception_store.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/ids.h"
#include "snapshot/exception_header.h"

namespace quiesced {
namespace {

/// Adds what an area says; whether there may be another one behind it.
bool parse_area(std::span<const std::byte> area, std::uint64_t chunk, std::uint64_t origin_size, std::vector<ByteRange>& changed) {
    for (std::size_t at = 0; at + kExceptionSize <= area.size(); at += kExceptionSize) {
        const auto exception = parse_exception(area.subspan(at));
        if (exception.new_chunk == 0) return false; // the end
        if (exception.old_chunk > origin_size / chunk) continue; // beyond the end of the origin
        changed.push_back({exception.old_chunk * chunk, chunk});
    }
    return true;
}

} // namespace

Result<ExceptionStore> read_exception_store(const ReadAt& read, std::uint64_t store_size, std::uint64_t origin_size) {
    std::array<std::byte, kSectorSize> head{};
    if (store_size < head.size()) return fail(ErrorKind::io, "it is too small for a header");
    if (auto done = read(0, head); !done) return pass(done);
    const auto header = parse_exception_header(head);
    if (!header) return tl::unexpected<Error>(header.error());
    const auto chunk = header->count;
    ExceptionStore store{.chunk = chunk, .changed = {}};
    const auto per_area = chunk / kExceptionSize;
    std::vector<std::byte> area(chunk);
    for (std::uint64_t at = chunk; at + chunk <= store_size; at += (per_area + 1) * chunk) {
        if (auto done = read(at, area); !done) return pass(done);
        if (!parse_area(area, chunk, origin_size, store.changed)) break;
    }
    store.changed = merge_ranges(std::move(store.changed), origin_size);
    return store;
}

} // namespace quiesced
