// SPDX-License-Identifier: LGPL-2.1-or-later
#include "options.h"

#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>

namespace quiesced {
namespace {

void add_places(CLI::App& app, DaemonOptions& options, CLI::Option* recover) {
    auto& settings = options.settings;
    auto* const bus = app.add_option("--bus", options.bus, "system, session or an address")->capture_default_str();
    auto* const state = app.add_option("--state-directory", settings.state_directory, "Where finished sets are kept")->capture_default_str();
    auto* const run = app.add_option("--run-directory", options.run_directory, "Where the records of windows are")->capture_default_str();
    app.add_option("--plugin-directory", settings.plugin_directory, "Where the plugins' sockets are")->capture_default_str();
    app.add_option("--hooks-directory", settings.hooks_directory, "Scripts that quiesce applications")->capture_default_str();
    app.add_option("--writers-directory", settings.writers_directory, "Declarations of applications to quiesce")->capture_default_str();
    app.add_option("--freezer", options.freezer, "The freezer's program")->capture_default_str();
    // A simulation must never be mistaken for the service, nor mix its sets with real ones.
    app.add_flag("--sim", options.simulated, "Serve a simulated guest: nothing of this machine is touched. For tests, on a bus of their own")
        ->needs(bus)->needs(state)->needs(run)->excludes(recover);
    app.callback([&options] {
        if (options.simulated && options.bus == "system")
            throw CLI::ValidationError("--sim", "not on the system bus: its users would take the simulated sets for snapshots");
    });
}

/// Everything, on top of what `options` has.
void parse(int argc, char** argv, DaemonOptions& options, bool quietly, int& status) {
    CLI::App app("Takes consistent snapshot sets over volumes on virtual disks and on SAN LUNs; a D-Bus service.");
    app.set_version_flag("--version", "quiesced " QUIESCED_VERSION);
    auto* const recover = app.add_flag("--recover", options.recover, "Thaw and resume what a lost daemon and freezer left behind, then exit");
    app.add_flag("--emergency", options.emergency, "With --recover: thaw whatever any record names, even while its daemon and freezer live")
        ->needs(recover);
    app.add_flag("--check-config", options.check_config, "Say what is wrong with the configuration, then exit")->excludes(recover);
    app.add_option("--config-directory", options.folders.folders, "Where quiesced.conf and quiesced.conf.d are; of several, the first overrules")
        ->capture_default_str();
    unsigned keep_failed = 0;
    auto* const keep = app.add_option("--keep-failed", keep_failed, "Seconds that a failed set can still be described")->check(CLI::Range(1U, 86400U));
    app.add_option("--log-level", options.settings.log_level, "How much to log")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}))->capture_default_str();
    add_places(app, options, recover);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        status = quietly ? EXIT_FAILURE : app.exit(error);
        return;
    }
    if (keep->count() > 0) options.settings.keep_failed = std::chrono::seconds(keep_failed);
}

int check_config(const LoadedSettings& loaded) {
    for (const auto& file : loaded.files) std::cout << file << "\n";
    for (const auto& problem : loaded.problems) std::cerr << problem << "\n";
    if (!loaded.problems.empty()) return EXIT_FAILURE;
    std::cout << (loaded.files.empty() ? "There is no configuration: the defaults count.\n" : "The configuration is good.\n");
    return EXIT_SUCCESS;
}

} // namespace

int read_options(int argc, char** argv, DaemonOptions& options) {
    int status = -1;
    parse(argc, argv, options, false, status);
    // What is left frozen is thawed whatever the configuration looks like.
    if (status >= 0 || options.recover) return status;
    const auto loaded = load_settings(options.folders);
    if (options.check_config) return check_config(loaded);
    if (auto good = loaded.check(); !good) {
        std::cerr << "quiesced: " << good.error().message() << "\n";
        return EXIT_FAILURE;
    }
    options.settings = loaded.settings;
    parse(argc, argv, options, true, status); // once more: the command line overrules
    return status;
}

Result<Settings> reread_settings(int argc, char** argv, const DaemonOptions& options) {
    const auto loaded = load_settings(options.folders);
    if (auto good = loaded.check(); !good) return pass(good);
    auto fresh = options;
    fresh.settings = loaded.settings;
    int status = -1;
    parse(argc, argv, fresh, true, status);
    if (status >= 0) return fail(ErrorKind::internal, "the command line is wrong");
    return fresh.settings;
}

} // namespace quiesced
