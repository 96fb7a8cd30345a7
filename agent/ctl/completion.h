// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace quiesced {

/// An option or flag, for a shell that completes it.
struct CompletedOption {
    std::vector<std::string> names; ///< "-o", "--output"
    std::string description;
    bool takes_value = false;
    bool takes_file = false;          ///< the value is one
    std::vector<std::string> choices; ///< of the value; empty: anything
};

struct CompletedCommand {
    std::string name; ///< empty: the program itself
    std::string description;
    std::vector<CompletedOption> options;
    std::string operand; ///< "volume", "set", "file", or empty
    std::vector<std::string> steps; ///< commands of its own: "quiescectl hook freeze"
};

/// The program, then its commands, as the parser knows them.
std::vector<CompletedCommand> completed_commands(const CLI::App& app);

/// A file for /usr/share/bash-completion/completions. Volumes and sets are asked of quiescectl itself.
std::string bash_completion(const std::vector<CompletedCommand>& commands);
/// A file for zsh's function path, "_quiescectl".
std::string zsh_completion(const std::vector<CompletedCommand>& commands);

} // namespace quiesced
