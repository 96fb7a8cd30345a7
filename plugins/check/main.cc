// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-plugin-check: the conformance suite of the plugin protocol, for any program.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/file.h"
#include "config.h"
#include "plugins/check/checks.h"

namespace quiesced {
namespace {

struct Request {
    Settings settings;
    std::string schema = QUIESCED_DATADIR "/plugin-protocol.schema.json";
    std::string disks_file;
    std::vector<std::string> wwids;
    std::string errors;
    std::string only;
    unsigned limit_s = 120;
};

Result<void> read_disks(Request& request) {
    for (const auto& wwid : request.wwids) request.settings.disks.push_back({{"wwid", wwid}, {"size_bytes", 0}});
    if (request.disks_file.empty()) return {};
    const auto text = read_file(request.disks_file);
    if (!text) return tl::unexpected<Error>(text.error());
    const auto list = Json::parse(*text, nullptr, false);
    if (!list.is_array()) return fail(ErrorKind::invalid_argument, request.disks_file + " is no JSON list of disks");
    for (const auto& disk : list) request.settings.disks.push_back(disk);
    return {};
}

void print_times(const Subject& subject) {
    for (auto [method, times] : subject.times()) {
        std::sort(times.begin(), times.end());
        std::cout << "# " << method << ": median " << to_ms(times[times.size() / 2]) << " ms, longest " << to_ms(times.back()) << " ms, "
                  << times.size() << " calls, budget " << budget_of(method).count() << " ms\n";
    }
}

/// Returns the exit status.
int run_checks(Subject& subject, const std::string& only) {
    int passed = 0;
    int failed = 0;
    int skipped = 0;
    bool deaf = false;
    const bool have_disks = !subject.settings().disks.empty();
    for (const auto& group : {protocol_checks(), set_checks(), loss_checks()})
        for (const auto& check : group) {
            const std::string sentence = check.sentence;
            if (sentence.find(only) == std::string::npos) continue;
            try {
                std::string reason;
                if (deaf) reason = "nothing can be tried when describe fails";
                else if (check.needs != Check::Needs::nothing && !have_disks) reason = "no disks were given";
                else if (check.needs == Check::Needs::list && !subject.can("list")) reason = "the plugin has no list";
                if (!reason.empty()) {
                    ++skipped;
                    std::cout << "skip - " << sentence << " (" << reason << ")" << std::endl;
                    continue;
                }
                check.run(subject);
                ++passed;
                std::cout << "ok - " << sentence << std::endl;
            } catch (const Broken& broken) {
                ++failed;
                deaf = deaf || sentence.starts_with("describe ");
                std::cout << "not ok - " << sentence << "\n    " << broken.what << std::endl;
            } catch (const Json::exception& error) {
                ++failed;
                std::cout << "not ok - " << sentence << "\n    an answer could not be read: " << error.what() << std::endl;
            }
        }
    print_times(subject);
    std::cout << passed << " passed, " << failed << " failed, " << skipped << " skipped" << std::endl;
    return failed > 0 || passed == 0 ? 1 : 0;
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    quiesced::Request request;
    CLI::App app("Checks a plugin of quiesced against the plugin protocol. It is started as systemd starts it: a socket is its\n"
                 "standard input and output. With --wwid or --disks, snapshots of those LUNs are taken and removed again.\n"
                 "Exit status: 0 all passed, 1 not, 2 usage or no schema.",
                 "quiesced-plugin-check");
    app.set_version_flag("--version", QUIESCED_VERSION);
    app.add_option("--wwid", request.wwids, "a LUN that the plugin claims, as sysfs says it: naa.6001405...; may be repeated")->allow_extra_args(false);
    app.add_option("--disks", request.disks_file, "file with a JSON list of the protocol's disk objects");
    app.add_option("--limit", request.limit_s, "seconds that no method may exceed, below its budget")->capture_default_str();
    app.add_option("--stderr", request.errors, "file for the plugin's standard error (default: ours)");
    app.add_option("--schema", request.schema, "the protocol's schema")->capture_default_str();
    app.add_option("--only", request.only, "only checks with this text in their sentence");
    app.add_option("PROGRAM", request.settings.argv, "the plugin and its arguments; put -- before it")->required();
    app.positionals_at_end();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    ::signal(SIGPIPE, SIG_IGN);
    request.settings.longest_budget = std::chrono::seconds(request.limit_s);
    auto schema = quiesced::MessageSchema::read(request.schema);
    const auto disks = quiesced::read_disks(request);
    if (!schema || !disks) {
        std::cerr << "quiesced-plugin-check: " << (schema ? disks.error() : schema.error()).message() << "\n";
        return 2;
    }
    quiesced::UniqueFd errors;
    if (!request.errors.empty()) {
        auto opened = quiesced::open_at(AT_FDCWD, request.errors, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (!opened) {
            std::cerr << "quiesced-plugin-check: " << opened.error().message() << "\n";
            return 2;
        }
        errors = std::move(*opened);
        request.settings.errors = errors.get();
    }
    quiesced::Subject subject(request.settings, *schema);
    return quiesced::run_checks(subject, request.only);
}
