// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/swap_area.h"

#include <algorithm>
#include <charconv>

#include "volumes/mountinfo.h"

namespace quiesced {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view next_field(std::string_view& rest) {
    const auto field = rest.substr(0, rest.find_first_of(kBlanks));
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks, field.size()), rest.size()));
    return field;
}

} // namespace

std::vector<SwapArea> parse_swaps(std::string_view text) {
    std::vector<SwapArea> areas;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        SwapArea area;
        area.path = unescape_octal(next_field(line));
        const auto type = next_field(line);
        area.is_file = type == "file";
        const auto size = next_field(line);
        std::uint64_t kibibytes = 0;
        // The heading is no area either. A path with a NUL would name another file to every system call.
        if (!area.path.starts_with('/') || area.path.find('\0') != std::string::npos || (!area.is_file && type != "partition") ||
            std::from_chars(size.data(), size.data() + size.size(), kibibytes).ec != std::errc{})
            continue;
        area.size = Bytes{kibibytes * 1024};
        areas.push_back(std::move(area));
    }
    return areas;
}

} // namespace quiesced
