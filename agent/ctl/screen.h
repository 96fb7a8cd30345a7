// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "view/text.h"

namespace quiesced {

enum class Colour { plain, bold, dim, red, green, yellow, blue, magenta, cyan };

enum class ColourMode { automatic, always, never };

/// "auto", "always", "never"; automatic for anything else.
ColourMode colour_mode(std::string_view name);

/// The SGR sequence that begins a colour; empty for plain.
std::string_view colour_code(Colour colour);

/// What a text is made for.
struct Screen {
    std::size_t width = kScreenWidth;
    bool colour = false;

    /// The text with its colour, if there are any here. It must be printable already.
    [[nodiscard]] std::string paint(Colour colour, std::string_view text) const;
};

/// What a descriptor leads to: the terminal's width, else 80. Automatic colours are for a terminal that is not "dumb", where
/// NO_COLOR is not set (https://no-color.org).
Screen screen_of(int descriptor, ColourMode mode);

/// Whether standard error is a terminal that knows how to go up and to clear.
bool is_live_terminal();

} // namespace quiesced
