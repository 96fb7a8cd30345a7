// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/result.h"

namespace quiesced {

/// What `program KIND` makes of the JSON: an SVG document. quiesced-draw is a program of its own, so that a guest without a
/// screen needs neither it nor its libraries. Errors: io (it is not installed, or failed; with what to do).
Result<std::string> make_drawing(const std::string& program, const std::string& kind, const std::string& json);

/// Replaces or makes a file as a whole; through a symbolic link. Errors: invalid_argument for what is there and no file;
/// kernel, and the old content stays.
Result<void> write_drawing(const std::string& path, const std::string& svg);

} // namespace quiesced
