// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/script_writer.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace quiesced {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLongestVolumes = 96UL * 1024;
constexpr std::size_t kOutputLimit = 64UL * 1024;

std::string stdin_json(const char* command, const WriterContext& context) {
    const nlohmann::json document{{"version", 1},
                                  {"command", command},
                                  {"set", context.set},
                                  {"volumes", context.volumes},
                                  {"aborted", context.aborted}};
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<std::string> environment(const WriterContext& context) {
    std::string volumes;
    for (const auto& volume : context.volumes) volumes += (volumes.empty() ? "" : "\n") + volume;
    std::vector<std::string> variables{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                       "QUIESCED_SET=" + context.set,
                                       std::string("QUIESCED_ABORTED=") + (context.aborted ? "1" : "0")};
    // Longer ones would make the exec fail, also of scripts that do not care for the volumes.
    if (volumes.size() <= kLongestVolumes) variables.push_back("QUIESCED_VOLUMES=" + volumes);
    return variables;
}

/// The last line that says something, fit for a log: no control characters, not too long.
std::string last_line(std::string_view text) {
    const auto end = text.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos) return {};
    text = text.substr(0, end + 1);
    const auto start = text.rfind('\n');
    std::string line(start == std::string_view::npos ? text : text.substr(start + 1));
    constexpr std::size_t enough = 300;
    if (line.size() > enough) line = line.substr(0, enough) + "...";
    std::replace_if(
        line.begin(), line.end(), [](char byte) { return (byte >= 0 && byte < ' ') || byte == '\x7f'; }, '?');
    return line;
}

std::string in_words(milliseconds limit) {
    return limit.count() % 1000 == 0 ? std::to_string(limit.count() / 1000) + " s"
                                     : std::to_string(limit.count()) + " ms";
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
    if (outcome.exit_status == 0) return {};
    return fail(kWriterFailed,
                what + "failed to " + command + " with exit status " + std::to_string(outcome.exit_status) + words,
                "Run it by hand with the argument " + command +
                    " to see why; without its execute permission it is left out.");
}

} // namespace

Result<ChildOutcome> ScriptWriter::run(const char* command, const WriterContext& context,
                                       Monotonic::time_point deadline) {
    // Each time: hours may lie between the reading of the directory and the thaw.
    const auto path = trusted_path(hook_.path);
    if (!path) return tl::unexpected<Error>(path.error());
    ChildOptions options;
    options.input = stdin_json(command, context);
    options.environment = environment(context);
    options.limit = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - Monotonic::now()));
    options.output_limit = kOutputLimit;
    return run_child({*path, command}, options);
}

Result<void> ScriptWriter::freeze(const WriterContext& context, Monotonic::time_point deadline) {
    const auto limit = std::chrono::round<milliseconds>(deadline - Monotonic::now());
    const auto outcome = run("freeze", context, deadline);
    if (!outcome) {
        auto error = outcome.error();
        // Of run_child()'s errors only this one can come after the start.
        started_ = error.kind == ErrorKind::kernel;
        error.context = "the writer script " + hook_.path + " cannot be run to freeze: " + error.context;
        return tl::unexpected<Error>(std::move(error));
    }
    started_ = true;
    return judge(hook_.path, "freeze", *outcome, limit);
}

Result<void> ScriptWriter::thaw(const WriterContext& context, Monotonic::time_point deadline) {
    if (!std::exchange(started_, false)) return {};
    const auto limit = std::chrono::round<milliseconds>(deadline - Monotonic::now());
    const auto outcome = run("thaw", context, deadline);
    if (!outcome) {
        auto error = outcome.error();
        error.context = "the writer script " + hook_.path + " cannot be run to thaw: " + error.context;
        error.advice = "What its freeze stopped may still be stopped: let it go on by hand.";
        return tl::unexpected<Error>(std::move(error));
    }
    return judge(hook_.path, "thaw", *outcome, limit);
}

} // namespace quiesced
