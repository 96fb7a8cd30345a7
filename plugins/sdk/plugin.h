// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace quiesced {

using Json = nlohmann::json;

/// What went wrong, as the protocol names it in data.kind.
enum class FailureKind { auth, unreachable, no_space, not_found, busy, unsupported, timeout, internal };

/// "no-space" for FailureKind::no_space.
std::string_view failure_name(FailureKind kind);
/// The inverse; FailureKind::internal for any other text.
FailureKind failure_kind(std::string_view name);

/// A method's failure. `message` is for the admin: what, which LUN, what to do; one line.
struct Failure {
    FailureKind kind = FailureKind::internal;
    std::string message;
};

/// A method's result (an object) or its failure.
using Answer = tl::expected<Json, Failure>;

inline tl::unexpected<Failure> refuse(FailureKind kind, std::string message) {
    return tl::unexpected<Failure>(Failure{kind, std::move(message)});
}

/// Carries out one method. The params are an object. Json's own exceptions (a missing or mistyped field) may leave it
/// and become the answer "invalid params".
using Handler = std::function<Answer(const Json& params)>;

inline constexpr std::size_t kMessageLimit = 1U << 20U; ///< bytes of a line, with its newline

/// The answer to one line: with its newline; empty for a notification, which gets none.
std::string answer_line(const std::map<std::string, Handler>& handlers, std::string_view line);

/// Answers requests, one after another, until the other side closes. Blocking. Returns the program's exit status: 0
/// at the end of the input, 1 when a line was too long or the answer could not be written.
int serve(const std::map<std::string, Handler>& handlers, int input, int output);

/// What a plugin's main() does before anything else: no SIGPIPE, and all memory locked, so that the window needs no
/// page of it. Says on standard error when it may not lock (LimitMEMLOCK=infinity is missing in the unit).
void start_plugin();

/// Urgency as in syslog; the journal shows it.
enum class LogLevel { error = 3, warning = 4, info = 6, debug = 7 };

/// A line on standard error, for the journal. Never blocks: while the journal's file system is frozen, a line that does
/// not fit is lost.
void log_line(LogLevel level, std::string_view text);

} // namespace quiesced
