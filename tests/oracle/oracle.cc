// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-oracle: says whether snapshots of several volumes show one and the same instant.
#include <csignal>

#include <fcntl.h>

#include <iostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/file.h"
#include "oracle/record.h"
#include "oracle/verdict.h"
#include "oracle/writer.h"

namespace {

constexpr int kConsistent = 0;
constexpr int kViolated = 1;
constexpr int kError = 2;

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler sets it");

int complain(const quiesced::Error& error) {
    std::cerr << "quiesced-oracle: " << error.message() << '\n';
    return kError;
}

int run_writer(const quiesced::oracle::WriterOptions& options, const std::string& ready_file) {
    struct sigaction action = {};
    action.sa_handler = [](int) { stop_asked.store(true); };
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    const auto report = quiesced::oracle::write_records(options, stop_asked, [&]() -> quiesced::Result<void> {
        if (ready_file.empty()) return {};
        return quiesced::replace_file_at(AT_FDCWD, ready_file, "ready\n", 0644);
    });
    if (!report) return complain(report.error());
    const nlohmann::json json = {{"sequence", report->sequence},
                                 {"longest_write_ms", quiesced::to_ms(report->longest_write)}};
    std::cout << json.dump() << '\n';
    return kConsistent;
}

int run_verifier(const std::vector<std::string>& directories) {
    std::vector<quiesced::oracle::Record> records;
    for (const std::string& directory : directories) {
        const auto record = quiesced::oracle::read_record(directory);
        if (!record) return complain(record.error());
        records.push_back(*record);
    }
    const auto verdict = quiesced::oracle::judge(records);
    if (!verdict) return complain(verdict.error());
    std::cout << quiesced::oracle::to_json(*verdict) << '\n';
    return verdict->consistent() ? kConsistent : kViolated;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Says whether snapshots of several volumes show one and the same instant");
    app.require_subcommand(1);

    quiesced::oracle::WriterOptions options;
    unsigned seconds = 0;
    std::string ready_file;
    auto* write = app.add_subcommand("write", "Write rising numbers to all volumes in turn, until SIGTERM");
    write->add_option("directory", options.directories, "A directory on each volume, in writing order")
        ->required()
        ->check(CLI::ExistingDirectory);
    auto* length = write->add_option("--seconds", seconds, "End after this time");
    write->add_option("--load", options.load, "Also write this many MiB/s to each volume through the page cache")
        ->check(CLI::Range(0U, 1024U));
    write->add_option("--rest", options.rest, "After each round, rest this many times as long as it took")
        ->check(CLI::Range(0U, 100U));
    write->add_option("--ready-file", ready_file, "Made when the first number is on all volumes");

    std::vector<std::string> directories;
    auto* verify = app.add_subcommand("verify", "Judge the numbers; status 0: consistent, 1: not, 2: cannot be judged");
    verify->add_option("directory", directories, "The same directories on the snapshots, in the same order")
        ->required();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : kError; }
    if (*verify) return run_verifier(directories);
    if (*length) options.length = std::chrono::seconds(seconds);
    return run_writer(options, ready_file);
}
