// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// Splits a command of the configuration into a program and its arguments. Blanks separate; '...' keeps everything as it
/// is; "..." keeps everything but \" and \\; outside quotes \ takes the next character as it is. Nothing is expanded.
/// Errors: invalid_argument for an open quote, a \ at the end, or a program that is no full path.
Result<std::vector<std::string>> split_command(std::string_view text);

} // namespace quiesced
