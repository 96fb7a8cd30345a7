// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quiesced {

inline constexpr std::size_t kScreenWidth = 80; ///< columns of every text that quiescectl prints

/// How many columns a UTF-8 text takes: one a character (wide ones are not known here).
std::size_t text_width(std::string_view text);

/// The text in at most `width` columns, its middle replaced by ".." if it was longer. Control characters become '?', so that
/// a mount point with a line break does no harm to a terminal.
std::string fit_text(std::string_view text, std::size_t width);

/// The same, filled up with spaces to `width`; numbers go to the right.
std::string pad_text(std::string_view text, std::size_t width, bool right = false);

struct Column {
    std::string head;
    bool right = false;        ///< numbers
    std::size_t least = 0;     ///< may be cut down to this many columns; 0: never cut
};

/// A table in at most `width` columns as far as the columns that may be cut allow; of these the widest is cut first.
/// Each line ends with a line break and has no space before it.
std::string render_table(const std::vector<Column>& columns, const std::vector<std::vector<std::string>>& rows,
                         std::size_t width = kScreenWidth);

} // namespace quiesced
