// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace quiesced {

Result<SetId> SetId::generate() {
    std::uint32_t chance = 0;
    if (::getrandom(&chance, sizeof chance, 0) != static_cast<ssize_t>(sizeof chance))
        return fail_errno("cannot get random bytes for a set's id");
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto fraction = static_cast<std::uint32_t>(now.tv_nsec / (1'000'000'000 / 4096 + 1)); // 0 to 4095
    std::array<char, 17> text{};
    std::snprintf(text.data(), text.size(), "%08x%03x%05x", static_cast<std::uint32_t>(now.tv_sec), fraction, chance & 0xfffffU);
    return SetId(text.data());
}

Result<SetId> SetId::parse(std::string_view text) {
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (text.size() != 16 || !std::all_of(text.begin(), text.end(), is_digit))
        return fail(ErrorKind::no_such_set, "'" + std::string(text.substr(0, 64)) + "' is no set id",
                    "A set id has 16 hexadecimal digits; see: quiescectl show");
    return SetId(std::string(text));
}

Result<DeviceNumber> DeviceNumber::parse(std::string_view text) {
    DeviceNumber number;
    const auto colon = text.find(':');
    const auto parse_part = [](std::string_view part, std::uint32_t& value) {
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
        return error == std::errc{} && end == part.data() + part.size() && !part.empty();
    };
    if (colon == std::string_view::npos || !parse_part(text.substr(0, colon), number.major) ||
        !parse_part(text.substr(colon + 1), number.minor))
        return fail(ErrorKind::io, "'" + std::string(text.substr(0, 64)) + "' is no device number");
    return number;
}

std::string Bytes::text() const {
    constexpr std::array<const char*, 7> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    auto value = static_cast<double>(count);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units.at(unit));
    return text.data();
}

} // namespace quiesced
