// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/dict.h"

#include <algorithm>
#include <cstddef>

namespace quiesced {
namespace {

/// Length of the UTF-8 character at the start of `text`; 0 if there is none.
std::size_t character(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const auto lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
    if (length == 0 || length > text.size()) return 0;
    for (std::size_t at = 1; at < length; ++at)
        if ((byte(at) & 0xC0U) != 0x80U) return 0;
    // Overlong forms, surrogates, beyond U+10FFFF.
    if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) >= 0xA0) || (lead == 0xF0 && byte(1) < 0x90) ||
        (lead == 0xF4 && byte(1) >= 0x90))
        return 0;
    return length;
}

} // namespace

std::string utf8(std::string_view text) {
    std::string sound;
    sound.reserve(text.size());
    while (!text.empty()) {
        // A D-Bus string ends at its first NUL.
        const auto length = text.front() == '\0' ? 0 : character(text);
        if (length == 0)
            sound += "\xEF\xBF\xBD";
        else
            sound += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return sound;
}

Result<void> Options::only(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : options_) {
        if (key == kInteractive || std::find(known.begin(), known.end(), key) != known.end()) continue;
        std::string keys;
        for (const auto name : known) keys += std::string(name) + ", ";
        return fail(ErrorKind::invalid_argument, "this call has no option '" + key + "'",
                    "It knows: " + keys + kInteractive + ".");
    }
    return {};
}

tl::unexpected<Error> Options::wrong_type(const std::string& key, const std::string& wanted) const {
    return fail(ErrorKind::invalid_argument,
                "the option '" + key + "' has a value of type '" + options_.at(key).peekValueType() + "'",
                "It must be of type '" + wanted + "'.");
}

} // namespace quiesced
