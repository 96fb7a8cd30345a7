// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace quiesced {
namespace {

/// More than a printer.
bool is_terminal(int descriptor) {
    const char* kind = std::getenv("TERM");
    return ::isatty(descriptor) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

bool wants_colour(int descriptor) {
    const char* none = std::getenv("NO_COLOR");
    return (none == nullptr || *none == '\0') && is_terminal(descriptor);
}

} // namespace

ColourMode colour_mode(std::string_view name) {
    if (name == "always") return ColourMode::always;
    if (name == "never") return ColourMode::never;
    return ColourMode::automatic;
}

std::string_view colour_code(Colour colour) {
    switch (colour) {
    case Colour::plain: return "";
    case Colour::bold: return "\x1b[1m";
    case Colour::dim: return "\x1b[2m";
    case Colour::red: return "\x1b[31m";
    case Colour::green: return "\x1b[32m";
    case Colour::yellow: return "\x1b[33m";
    case Colour::blue: return "\x1b[34m";
    case Colour::magenta: return "\x1b[35m";
    case Colour::cyan: return "\x1b[36m";
    }
    return "";
}

std::string Screen::paint(Colour wanted, std::string_view text) const {
    if (!colour || wanted == Colour::plain || text.empty()) return std::string(text);
    return std::string(colour_code(wanted)) + std::string(text) + "\x1b[0m";
}

bool is_live_terminal() { return is_terminal(STDERR_FILENO); }

Screen screen_of(int descriptor, ColourMode mode) {
    Screen screen;
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) screen.width = size.ws_col;
    screen.colour = mode == ColourMode::always || (mode == ColourMode::automatic && wants_colour(descriptor));
    return screen;
}

} // namespace quiesced
