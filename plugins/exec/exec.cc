// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-plugin-exec: snapshots on an array by an admin's own commands.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include "config.h"
#include "plugins/exec/exec_config.h"
#include "plugins/exec/exec_plugin.h"
#include "plugins/sdk/plugin.h"

namespace {

bool is_socket(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

} // namespace

int main(int argc, char** argv) {
    std::string config_path = QUIESCED_SYSCONFDIR "/plugins/exec.conf";
    std::string runtime_directory = "/run/quiesced-plugin-exec";
    bool check = false;
    CLI::App app("quiesced's plugin for arrays that are snapshotted by an admin's own commands.\n"
                 "Reads requests on standard input, one JSON object a line, and writes answers on standard output.",
                 "quiesced-plugin-exec");
    app.set_version_flag("--version", QUIESCED_VERSION);
    app.add_option("--config", config_path, "configuration file")->capture_default_str();
    app.add_option("--runtime-directory", runtime_directory, "folder of the sets' locks")->envname("RUNTIME_DIRECTORY")->capture_default_str();
    app.add_flag("--check", check, "read the configuration, say what is wrong with it, and end");
    CLI11_PARSE(app, argc, argv);

    auto config = quiesced::read_exec_config(config_path);
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
        return quiesced::serve(quiesced::ExecPlugin::refusing_handlers(reason), STDIN_FILENO, STDOUT_FILENO);
    }
    quiesced::ExecPlugin plugin(std::move(*config), runtime_directory, is_socket(STDIN_FILENO) ? STDIN_FILENO : -1);
    return quiesced::serve(plugin.handlers(), STDIN_FILENO, STDOUT_FILENO);
}
