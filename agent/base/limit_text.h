// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace quiesced {

/// A time limit of a configuration: "60s", "4.5s", "500ms", "60"; seconds without a unit, 1 ms to an hour. nullopt for anything else.
std::optional<std::chrono::milliseconds> parse_limit(std::string_view text);

} // namespace quiesced
