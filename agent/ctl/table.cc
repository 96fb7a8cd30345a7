// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/table.h"

#include <libsmartcols.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>

namespace quiesced {
namespace {

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

/// A cell of several lines is as many lines of the library's, the others of which are empty there.
void add_row(libscols_table* table, const std::vector<Column>& columns, const std::vector<Cell>& cells, bool colours) {
    std::size_t height = 1;
    for (const auto& cell : cells) height = std::max(height, cell.lines.size());
    for (std::size_t i = 0; i < height; ++i) {
        auto* line = sound(::scols_table_new_line(table, nullptr));
        for (std::size_t column = 0; column < columns.size(); ++column) {
            const auto& cell = cells.at(column);
            auto text = i < cell.lines.size() ? cell.lines[i] : std::string();
            if (i == 0 && text.empty()) text = "-";
            ::scols_line_set_data(line, column, printable(text).c_str());
            if (colours && cell.colour != Colour::plain)
                ::scols_cell_set_color(::scols_line_get_cell(line, column), std::string(colour_code(cell.colour)).c_str());
        }
    }
}

} // namespace

std::string render_table(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows, const Screen& screen) {
    const Table table(sound(::scols_new_table()));
    ::scols_table_set_termforce(table.get(), SCOLS_TERMFORCE_ALWAYS);
    ::scols_table_set_termwidth(table.get(), screen.width);
    ::scols_table_set_column_separator(table.get(), "  ");
    ::scols_table_enable_noencoding(table.get(), 1); // printable() has done that, as everywhere else
    ::scols_table_enable_colors(table.get(), screen.colour ? 1 : 0);
    for (const auto& column : columns) {
        const int flags = (column.right ? SCOLS_FL_RIGHT : 0) | (column.wraps ? SCOLS_FL_WRAP : 0);
        auto* made = sound(::scols_table_new_column(table.get(), column.head.c_str(), 0.1, flags));
        if (screen.colour) ::scols_cell_set_color(::scols_column_get_header(made), std::string(colour_code(Colour::bold)).c_str());
    }
    for (const auto& row : rows) add_row(table.get(), columns, row, screen.colour);
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
