// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quiesced {

/// "a, b, c"
inline std::string joined(const std::vector<std::string>& items, std::string_view between = ", ") {
    std::string text;
    for (const auto& item : items) {
        if (!text.empty()) text += between;
        text += item;
    }
    return text;
}

} // namespace quiesced
