// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/script_writer.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "writers/hook_directory.h"
#include "writers/writer_message.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kOutputLimit = 64UL * 1024;

/// The last line that says something, fit for a log: no control characters, not too long.
std::string last_line(std::string_view text) {
    const auto end = text.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos) return {};
    text = text.substr(0, end + 1);
    const auto start = text.rfind('\n');
    return printable_line(start == std::string_view::npos ? text : text.substr(start + 1));
}

Result<void> judge(const std::string& path, const std::string& command, const ChildOutcome& outcome,
                   milliseconds limit) {
    const auto what = "the writer script " + path + " ";
    const auto line = outcome.errors.size() < kOutputLimit
                          ? last_line(outcome.errors)
                          : "it wrote more than " + std::to_string(kOutputLimit / 1024) + " KiB to standard error";
    const auto words = line.empty() ? std::string() : ": " + line;
    if (outcome.timed_out)
        return fail(ErrorKind::deadline,
                    what + "did not end its " + command + " within " + in_words(limit) +
                        " and was killed with its process group" +
                        (outcome.stuck ? ", but is blocked in the kernel" : "") + words,
                    "See what it waits for.");
    if (outcome.interrupted) return writer_called_off(what + "in its " + command);
    if (outcome.exit_status == 0) return {};
    return fail(kWriterFailed,
                what + "failed to " + command + " with exit status " + std::to_string(outcome.exit_status) + words,
                "Run it by hand with the argument " + command +
                    " to see why; without its execute permission it is left out.");
}

} // namespace

Result<ChildOutcome> ScriptWriter::run(const char* command, const WriterContext& context,
                                       const Limit& limit) {
    // Each time: hours may lie between the reading of the directory and the thaw.
    const auto path = trusted_path(command_.front());
    if (!path) return tl::unexpected<Error>(path.error());
    ChildOptions options;
    options.environment = writer_environment(context);
    options.limit = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(limit.until - Monotonic::now()));
    options.input = writer_message(command, context, options.limit);
    options.output_limit = kOutputLimit;
    options.interrupt = limit.interrupt;
    auto argv = command_;
    argv.front() = *path;
    argv.emplace_back(command);
    if (!outside_.active()) return run_child(argv, options);
    const auto unit = outside_unit(context.set, name_, command);
    auto outcome = run_child(outside_.wrap(argv, options.environment, unit, options.limit), options);
    if (!outcome || outcome->timed_out || outcome->interrupted) outside_.kill(unit);
    return outcome;
}

Result<void> ScriptWriter::freeze(const WriterContext& context, const Limit& limit) {
    const auto length = std::chrono::round<milliseconds>(limit.until - Monotonic::now());
    const auto outcome = run("freeze", context, limit);
    if (!outcome) {
        auto error = outcome.error();
        // Of run_child()'s errors only this one can come after the start.
        started_ = error.kind == ErrorKind::kernel;
        error.context = "the writer script " + command_.front() + " cannot be run to freeze: " + error.context;
        return tl::unexpected<Error>(std::move(error));
    }
    started_ = true;
    return judge(command_.front(), "freeze", *outcome, length);
}

Result<void> ScriptWriter::thaw(const WriterContext& context, const Limit& limit) {
    if (!std::exchange(started_, false)) return {};
    const auto length = std::chrono::round<milliseconds>(limit.until - Monotonic::now());
    const auto outcome = run("thaw", context, limit);
    if (!outcome) {
        auto error = outcome.error();
        error.context = "the writer script " + command_.front() + " cannot be run to thaw: " + error.context;
        error.advice = "What its freeze stopped may still be stopped: let it go on by hand.";
        return tl::unexpected<Error>(std::move(error));
    }
    return judge(command_.front(), "thaw", *outcome, length);
}

WriterUndo ScriptWriter::undo() const { return {.kind = "script", .name = name_, .what = command_, .limit = {}}; }

} // namespace quiesced
