// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/table.h"

#include <algorithm>
#include <numeric>

namespace quiesced {
namespace {

constexpr std::size_t kGap = 2; ///< spaces between columns

/// Byte offset of the character at which `width` characters have passed.
std::size_t offset_of(std::string_view text, std::size_t width) {
    std::size_t at = 0;
    while (at < text.size() && width > 0) {
        ++at;
        while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) ++at;
        --width;
    }
    return at;
}

} // namespace

std::size_t text_width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string fit_text(std::string_view text, std::size_t width) {
    std::string shown(text);
    for (auto& c : shown)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    const auto length = text_width(shown);
    if (length <= width) return shown;
    if (width <= 2) return shown.substr(0, offset_of(shown, width));
    // The end of a path says more than its middle.
    const auto head = (width - 2) / 2;
    const auto tail = width - 2 - head;
    return shown.substr(0, offset_of(shown, head)) + ".." + shown.substr(offset_of(shown, length - tail));
}

std::string pad_text(std::string_view text, std::size_t width, bool right) {
    auto shown = fit_text(text, width);
    const std::string space(width - text_width(shown), ' ');
    return right ? space + shown : shown + space;
}

std::string render_table(const std::vector<Column>& columns, const std::vector<std::vector<std::string>>& rows, std::size_t width) {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        auto widest = text_width(columns[i].head);
        for (const auto& row : rows) widest = std::max(widest, text_width(row.at(i)));
        widths.push_back(widest);
    }
    const auto total = [&] { return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) + kGap * (widths.size() - 1); };
    while (total() > width) {
        std::size_t widest = columns.size();
        for (std::size_t i = 0; i < columns.size(); ++i)
            if (columns[i].least > 0 && widths[i] > columns[i].least && (widest == columns.size() || widths[i] > widths[widest]))
                widest = i;
        if (widest == columns.size()) break;
        --widths[widest];
    }
    std::string text;
    const auto add_line = [&](const auto& cell) {
        std::string line;
        for (std::size_t i = 0; i < columns.size(); ++i)
            line += (i == 0 ? "" : std::string(kGap, ' ')) + pad_text(cell(i), widths[i], columns[i].right);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    };
    add_line([&](std::size_t i) { return columns[i].head; });
    for (const auto& row : rows) add_line([&](std::size_t i) { return row[i]; });
    return text;
}

} // namespace quiesced
