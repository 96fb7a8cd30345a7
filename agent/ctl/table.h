// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "ctl/screen.h"

namespace quiesced {

struct Column {
    std::string head;
    bool right = false; ///< numbers
    bool wraps = false; ///< what does not fit goes on in the next line; otherwise the column is as wide as it needs
};

struct Cell {
    // NOLINTNEXTLINE(google-explicit-constructor): a row is written as its texts
    Cell(std::string text, Colour paint = Colour::plain) : lines{std::move(text)}, colour(paint) {}
    Cell(const char* text) : lines{text} {}                                // NOLINT(google-explicit-constructor)
    Cell(std::vector<std::string> texts) : lines(std::move(texts)) {}     // NOLINT(google-explicit-constructor)
    std::vector<std::string> lines; ///< below one another
    Colour colour = Colour::plain;
};

/// A table as wide as the screen at most, as far as the columns that wrap allow. Nothing is cut; a cell without text shows "-".
/// What is not printable is shown as \xNN. Each line ends with a line break and has no space before it.
/// Layout: libsmartcols, which lsblk(8) and findmnt(8) use. Every row has as many cells as there are columns.
std::string render_table(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows, const Screen& screen = {});

} // namespace quiesced
