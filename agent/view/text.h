// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quiesced {

inline constexpr std::size_t kScreenWidth = 80; ///< columns of a text for nobody knows which screen

// Widths and what is printable are the C library's (wcwidth(3)), so that they hold in a UTF-8 locale only.

/// Sets LC_CTYPE of this process to UTF-8; D-Bus and JSON know nothing else. Call it before threads begin.
void use_utf8();

/// How many columns a text takes: 2 for a wide character, none for a combining one.
std::size_t text_width(std::string_view text);

/// The same text, with \xNN for each byte of a control character or of what is no UTF-8, so that a mount point with an escape
/// sequence or a line break does no harm to a terminal, a table or a drawing. Backslashes stay as they are.
std::string printable(std::string_view text);

/// The printable text in at most `width` columns, its middle replaced by ".." if it was longer.
std::string fit_text(std::string_view text, std::size_t width);

/// The same, filled up with spaces to `width`; numbers go to the right.
std::string pad_text(std::string_view text, std::size_t width, bool right = false);

/// Lines of at most `width` columns, divided at spaces; a word that is longer gets a line of its own. Each line but the first
/// begins with `indent` spaces, each ends with a line break.
std::string wrap_text(std::string_view text, std::size_t width, std::size_t indent = 0);

/// The printable text in pieces of at most `width` columns (1 at least), divided after a space, a slash or a comma where one is in the
/// second half of a piece. Nothing is lost but such spaces. One empty piece for an empty text.
std::vector<std::string> split_text(std::string_view text, std::size_t width);

/// "5.3 ms", "1.25 s", "35 us": three digits at most, for people.
std::string duration_text(double ms);

} // namespace quiesced
