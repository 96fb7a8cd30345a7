// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/table.h"

#include <libsmartcols.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <numeric>
#include <string_view>

namespace quiesced {
namespace {

constexpr std::string_view kGap = "  ";      ///< between columns
constexpr std::size_t kNarrowest = 8; ///< of a column that wraps

struct TableEnd {
    void operator()(libscols_table* table) const { ::scols_unref_table(table); }
};
using Table = std::unique_ptr<libscols_table, TableEnd>;

/// The library fails for want of memory only.
template <typename T>
T* sound(T* made) {
    if (made == nullptr) throw std::bad_alloc();
    return made;
}

std::string without_trailing_spaces(std::string_view text) {
    std::string lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const auto last = line.find_last_not_of(' ');
        line = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
        if (!line.empty()) lines += std::string(line) + "\n";
    }
    return lines;
}

/// What stands below one another in a cell that is so wide.
std::vector<std::string> lines_of(const Cell& cell, bool wraps, std::size_t width) {
    std::vector<std::string> lines;
    for (const auto& line : cell.lines) {
        const auto pieces = wraps ? split_text(line, width) : std::vector{printable(line)};
        lines.insert(lines.end(), pieces.begin(), pieces.end());
    }
    if (lines.empty() || lines.front().empty()) lines = {"-"};
    return lines;
}

/// A row of several lines is as many of the library's.
void add_row(libscols_table* table, const std::vector<Column>& columns, const std::vector<std::size_t>& widths, const std::vector<Cell>& cells) {
    std::vector<std::vector<std::string>> texts;
    std::size_t height = 1;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        texts.push_back(lines_of(cells.at(i), columns[i].wraps, widths[i]));
        height = std::max(height, texts.back().size());
    }
    for (std::size_t i = 0; i < height; ++i) {
        auto* line = sound(::scols_table_new_line(table, nullptr));
        for (std::size_t column = 0; column < columns.size(); ++column) {
            if (i >= texts[column].size()) continue;
            ::scols_line_set_data(line, column, texts[column][i].c_str());
            if (::scols_table_colors_wanted(table) != 0 && cells[column].colour != Colour::plain)
                ::scols_cell_set_color(::scols_line_get_cell(line, column), std::string(colour_code(cells[column].colour)).c_str());
        }
    }
}

/// How wide each column wants to be, or may: while the table is too wide, the widest of the columns that wrap gives way. (The
/// library would divide a short name as readily as a long sentence.)
std::vector<std::size_t> share_width(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows, std::size_t width) {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        auto widest = text_width(columns[i].head);
        for (const auto& row : rows)
            for (const auto& line : row.at(i).lines) widest = std::max(widest, text_width(printable(line)));
        widths.push_back(widest);
    }
    auto total = std::accumulate(widths.begin(), widths.end(), kGap.size() * (widths.size() - 1));
    for (; total > width; --total) {
        std::size_t widest = columns.size();
        for (std::size_t i = 0; i < columns.size(); ++i)
            if (columns[i].wraps && widths[i] > kNarrowest && (widest == columns.size() || widths[i] > widths[widest])) widest = i;
        if (widest == columns.size()) break;
        --widths[widest];
    }
    return widths;
}

} // namespace

std::string render_table(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows, const Screen& screen) {
    const Table table(sound(::scols_new_table()));
    ::scols_table_set_termforce(table.get(), SCOLS_TERMFORCE_ALWAYS);
    ::scols_table_set_termwidth(table.get(), screen.width);
    ::scols_table_set_column_separator(table.get(), kGap.data());
    ::scols_table_enable_noencoding(table.get(), 1); // printable() has done that, as everywhere else
    ::scols_table_enable_colors(table.get(), screen.colour ? 1 : 0);
    const auto widths = share_width(columns, rows, screen.width);
    for (const auto& column : columns) {
        auto* made = sound(::scols_table_new_column(table.get(), column.head.c_str(), 0, column.right ? SCOLS_FL_RIGHT : 0));
        if (screen.colour) ::scols_cell_set_color(::scols_column_get_header(made), std::string(colour_code(Colour::bold)).c_str());
    }
    for (const auto& row : rows) add_row(table.get(), columns, widths, row);
    if (rows.empty()) { // the library prints nothing at all
        std::string heads;
        for (const auto& column : columns) heads += (heads.empty() ? "" : "  ") + screen.paint(Colour::bold, column.head);
        return heads + "\n";
    }
    char* text = nullptr;
    if (::scols_print_table_to_string(table.get(), &text) != 0 || text == nullptr) throw std::bad_alloc();
    const std::unique_ptr<char, decltype(&std::free)> owned(text, &std::free);
    return without_trailing_spaces(text);
}

} // namespace quiesced
