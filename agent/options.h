// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "config.h"
#include "settings/settings.h"

namespace quiesced {

/// The command line of quiesced, over what the configuration says.
struct DaemonOptions {
    bool recover = false;
    bool emergency = false;
    bool simulated = false;
    bool check_config = false;
    std::string bus = "system";
    std::string run_directory = "/run/quiesced";
    std::string freezer = QUIESCED_LIBEXECDIR "/quiesced-freezer";
    SettingsFolders folders; ///< where the configuration is
    Settings settings;       ///< as configured, with what the command line says on top
};

struct CommandLine {
    int count = 0;
    char** words = nullptr;
};

/// Reads the command line and, unless it is to recover, the configuration. Returns -1 to go on, or the exit status: of --help,
/// --version, --check-config, a wrong command line or configuration (which it has told of on standard error).
int read_options(int argc, char** argv, DaemonOptions& options);

/// The settings as a reload has them: the configuration read afresh, under the same command line.
Result<Settings> reread_settings(int argc, char** argv, const DaemonOptions& options);

} // namespace quiesced
