// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// A command that an admin wrote for a method of the protocol.
struct ExecCommand {
    std::vector<std::string> argv; ///< empty: none is configured
    std::chrono::milliseconds limit{0};
};

/// /etc/quiesced/plugins/exec.conf.
struct ExecConfig {
    std::map<std::string, ExecCommand> commands; ///< by method: every one is there, perhaps with an empty argv
    std::vector<std::string> wwid;               ///< patterns as in fnmatch(3) for claims without a command
    std::vector<std::string> vendor;             ///< likewise
    bool preload = true;                         ///< start the commit command in prepare
    bool commit_ready = false;                   ///< wait in prepare for the commit command's first line

    [[nodiscard]] const ExecCommand& command(const std::string& method) const { return commands.at(method); }
};

/// Reads the text. Errors: invalid_argument, naming the key or the line.
Result<ExecConfig> parse_exec_config(const std::string& text);

/// Reads the file. Errors also: access_denied when the file, or the program of a command, does not belong to root (or
/// to the user this runs as), or when others may write to it; io; kernel. All of them name the file.
Result<ExecConfig> read_exec_config(const std::string& path);

} // namespace quiesced
