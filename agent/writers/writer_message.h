// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "writers/writer.h"

namespace quiesced {

/// What a writer's program is told, one JSON object and a newline: {"version":1,"command":"freeze","set":"...",
/// "volumes":["..."],"aborted":false,"limit_ms":60000}. Bytes that are no UTF-8 become U+FFFD.
std::string writer_message(std::string_view command, const WriterContext& context, std::chrono::milliseconds limit);

/// Its whole environment: PATH, LC_ALL=C, QUIESCED_SET, QUIESCED_ABORTED (0 or 1), and QUIESCED_VOLUMES (one a line) unless that is
/// longer than 96 KiB; CREDENTIALS_DIRECTORY if we have one.
std::vector<std::string> writer_environment(const WriterContext& context);

/// "5 s", "700 ms".
std::string in_words(std::chrono::milliseconds limit);

/// Fit for a log: no control characters, at most 300 bytes.
std::string printable_line(std::string_view text);

} // namespace quiesced
