// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/limit_text.h"

#include <charconv>
#include <cstdint>
#include <system_error>

namespace quiesced {

std::optional<std::chrono::milliseconds> parse_limit(std::string_view text) {
    constexpr double kHour = 3600.0 * 1000;
    double factor = 1000;
    if (text.ends_with("ms")) {
        factor = 1;
        text.remove_suffix(2);
    } else if (text.ends_with('s')) {
        text.remove_suffix(1);
    }
    while (text.ends_with(' ')) text.remove_suffix(1);
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    const double milliseconds = number * factor;
    if (!(milliseconds >= 1) || milliseconds > kHour) return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
}

} // namespace quiesced
