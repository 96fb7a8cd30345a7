// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-plugin-targetd: snapshots on Linux arrays (LIO) that targetd manages.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include "config.h"
#include "plugins/sdk/plugin.h"
#include "plugins/targetd/targetd_config.h"
#include "plugins/targetd/targetd_plugin.h"

int main(int argc, char** argv) {
    std::string config_path = QUIESCED_SYSCONFDIR "/plugins/targetd.conf";
    std::string runtime_directory = "/run/quiesced-plugin-targetd";
    std::string sysfs = "/sys";
    std::string initiator_file = "/etc/iscsi/initiatorname.iscsi";
    bool check = false;
    CLI::App app("quiesced's plugin for Linux arrays (LIO) that targetd manages.\n"
                 "Reads requests on standard input, one JSON object a line, and writes answers on standard output.",
                 "quiesced-plugin-targetd");
    app.set_version_flag("--version", QUIESCED_VERSION);
    app.add_option("--config", config_path, "configuration file")->capture_default_str();
    app.add_option("--runtime-directory", runtime_directory, "folder of the sets' locks and notes")->envname("RUNTIME_DIRECTORY")->capture_default_str();
    app.add_option("--sysfs", sysfs, "where sysfs is")->capture_default_str();
    app.add_option("--initiator-file", initiator_file, "file with this guest's iSCSI name")->capture_default_str();
    app.add_flag("--check", check, "read the configuration, say what is wrong with it, and end");
    CLI11_PARSE(app, argc, argv);

    const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"); // NOLINT(concurrency-mt-unsafe)
    auto config = quiesced::read_targetd_config(config_path, credentials == nullptr ? "" : credentials, initiator_file);
    if (check) {
        if (config) std::printf("%s is in order\n", config_path.c_str());
        else std::fprintf(stderr, "%s\n", config.error().message().c_str());
        return config ? 0 : 1;
    }
    quiesced::start_plugin();
    if (!config) {
        // Served, not died of: so the reason reaches whoever asked for a snapshot, and not only the journal.
        const auto reason = config.error().message();
        quiesced::log_line(quiesced::LogLevel::error, reason);
        return quiesced::serve(quiesced::TargetdPlugin::refusing_handlers(reason), STDIN_FILENO, STDOUT_FILENO);
    }
    quiesced::TargetdPlugin plugin(std::move(*config), runtime_directory, quiesced::Initiator(sysfs));
    return quiesced::serve(plugin.handlers(), STDIN_FILENO, STDOUT_FILENO);
}
