// SPDX-License-Identifier: LGPL-2.1-or-later
#include "view/text.h"

#include <clocale>
#include <cmath>
#include <cstdio>
#include <cwchar>
#include <cwctype>

#include <algorithm>
#include <array>

namespace quiesced {
namespace {

/// One character at the start of a text.
struct Glyph {
    std::size_t bytes = 1;
    std::size_t columns = 0;
    bool printable = false;
};

Glyph first_glyph(std::string_view text) {
    std::mbstate_t state{};
    wchar_t character = 0;
    const auto length = std::mbrtowc(&character, text.data(), text.size(), &state);
    if (length == 0 || length > text.size()) return {}; // NUL, or no character
    const int columns = ::wcwidth(character);
    if (columns < 0 || std::iswprint(static_cast<std::wint_t>(character)) == 0) return {.bytes = length, .columns = 0, .printable = false};
    return {.bytes = length, .columns = static_cast<std::size_t>(columns), .printable = true};
}

/// As much of the start as `width` columns hold.
std::string_view head_of(std::string_view text, std::size_t width) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto glyph = first_glyph(text.substr(at));
        if (glyph.columns > width) break;
        width -= glyph.columns;
        at += glyph.bytes;
    }
    return text.substr(0, at);
}

/// As much of the end as `width` columns hold.
std::string_view tail_of(std::string_view text, std::size_t width) {
    auto left = text_width(text);
    while (left > width) {
        const auto glyph = first_glyph(text);
        left -= glyph.columns;
        text.remove_prefix(glyph.bytes);
    }
    return text;
}

} // namespace

void use_utf8() {
    if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
}

std::size_t text_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto glyph = first_glyph(text);
        width += glyph.columns;
        text.remove_prefix(glyph.bytes);
    }
    return width;
}

std::string printable(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const auto glyph = first_glyph(text);
        if (glyph.printable) {
            shown += text.substr(0, glyph.bytes);
        } else {
            for (const char c : text.substr(0, glyph.bytes)) {
                std::array<char, 8> escape{};
                std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
                shown += escape.data();
            }
        }
        text.remove_prefix(glyph.bytes);
    }
    return shown;
}

std::string fit_text(std::string_view text, std::size_t width) {
    auto shown = printable(text);
    if (text_width(shown) <= width) return shown;
    if (width <= 2) return std::string(head_of(shown, width));
    // The end of a path says more than its middle.
    const auto head = (width - 2) / 2;
    return std::string(head_of(shown, head)) + ".." + std::string(tail_of(shown, width - 2 - head));
}

std::string pad_text(std::string_view text, std::size_t width, bool right) {
    auto shown = fit_text(text, width);
    const std::string space(width - text_width(shown), ' ');
    return right ? space + shown : shown + space;
}

std::string wrap_text(std::string_view text, std::size_t width, std::size_t indent) {
    std::string lines;
    std::size_t used = 0;
    while (true) {
        const auto begin = text.find_first_not_of(" \n");
        if (begin == std::string_view::npos) break;
        const auto end = std::min(text.find_first_of(" \n", begin), text.size());
        const auto word = printable(text.substr(begin, end - begin));
        const auto columns = text_width(word);
        if (used > 0 && used + 1 + columns > width) {
            lines += "\n" + std::string(indent, ' ');
            used = indent;
        } else if (used > 0) {
            lines += ' ';
            ++used;
        }
        lines += word;
        used += columns;
        text.remove_prefix(end);
    }
    return lines + "\n";
}

std::vector<std::string> split_text(std::string_view text, std::size_t width) {
    const auto shown = printable(text);
    std::string_view rest = shown;
    std::vector<std::string> pieces;
    while (text_width(rest) > width) {
        auto piece = head_of(rest, width);
        if (piece.empty()) piece = rest.substr(0, first_glyph(rest).bytes); // a wide character in one column
        // Up to the space that would come next, too: it is dropped.
        const auto end = rest.substr(0, piece.size() + 1).find_last_of(" /,");
        if (end != std::string_view::npos && end + 1 > piece.size() / 2) piece = rest.substr(0, std::min(end + 1, rest[end] == ' ' ? end : piece.size()));
        rest.remove_prefix(piece.size());
        pieces.emplace_back(piece);
        if (rest.starts_with(' ')) rest.remove_prefix(1);
    }
    if (pieces.empty() || !rest.empty()) pieces.emplace_back(rest);
    return pieces;
}

std::string duration_text(double ms) {
    struct Unit {
        double ms;
        const char* name;
    };
    static constexpr std::array units{Unit{0.001, "us"}, Unit{1, "ms"}, Unit{1000, "s"}, Unit{60000, "min"}, Unit{3.6e6, "h"},
                                     Unit{8.64e7, "d"}};
    if (ms == 0) return "0 ms";
    auto unit = units.front();
    for (const auto& larger : units)
        if (std::abs(ms) >= larger.ms * 0.9995) unit = larger;
    const auto value = ms / unit.ms;
    const int digits = std::abs(value) >= 99.95 ? 0 : std::abs(value) >= 9.995 ? 1 : 2;
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%.*f %s", digits, value, unit.name);
    return text.data();
}

} // namespace quiesced
