// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/completion.h"

#include <algorithm>
#include <string_view>

#include <CLI/CLI.hpp>

namespace quiesced {
namespace {

constexpr std::string_view kVolumes = R"x(quiescectl volumes --json 2>/dev/null | sed -n 's/^    "name": "\(.*\)",\{0,1\}$/\1/p')x";
constexpr std::string_view kSets = R"x(quiescectl show --json 2>/dev/null | sed -n 's/.*"id": "\([0-9a-f]\{16\}\)".*/\1/p')x";

/// "TEXT:{auto,always,never}": the parser does not tell them otherwise.
std::vector<std::string> choices_of(const std::string& type) {
    std::vector<std::string> choices;
    const auto begin = type.find('{');
    const auto end = type.find('}', begin == std::string::npos ? 0 : begin);
    if (begin == std::string::npos || end == std::string::npos) return choices;
    std::string word;
    for (auto at = begin + 1; at <= end; ++at) {
        if (type[at] != ',' && at != end) word += type[at];
        else choices.push_back(std::exchange(word, {}));
    }
    return choices;
}

CompletedOption option_of(const CLI::Option& option) {
    CompletedOption made;
    for (const auto& name : option.get_snames()) made.names.push_back("-" + name);
    for (const auto& name : option.get_lnames()) made.names.push_back("--" + name);
    made.description = option.get_description();
    made.takes_value = option.get_items_expected_max() > 0;
    if (made.takes_value) made.choices = choices_of(option.get_type_name());
    static constexpr std::string_view files[] = {"--svg", "--draw-program", "--daemon-program"};
    made.takes_file = std::any_of(made.names.begin(), made.names.end(), [](const auto& name) { return std::find(std::begin(files), std::end(files), name) != std::end(files); });
    return made;
}

CompletedCommand command_of(const CLI::App& app, const std::string& name) {
    CompletedCommand command{.name = name, .description = app.get_description(), .options = {}, .operand = {}, .steps = {}};
    for (const auto* option : app.get_options()) {
        if (option->get_positional()) command.operand = option->get_name(true, false);
        if (!option->get_lnames().empty() || !option->get_snames().empty()) command.options.push_back(option_of(*option));
    }
    for (const auto* step : app.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); }))
        if (!name.empty()) command.steps.push_back(step->get_name());
    return command;
}

/// All names of all commands' options that `wanted` picks, sorted, each once, with `between`.
template <typename Wanted>
std::string option_names(const std::vector<CompletedCommand>& commands, Wanted wanted, const char* between) {
    std::vector<std::string> names;
    for (const auto& command : commands)
        for (const auto& option : command.options)
            if (wanted(option)) names.insert(names.end(), option.names.begin(), option.names.end());
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : between) + name;
    return text;
}

std::string joined_words(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

std::string words_of(const CompletedCommand& command) {
    std::string text;
    for (const auto& option : command.options) text += (text.empty() ? "" : " ") + joined_words(option.names);
    return text;
}

/// Within single quotes and _arguments' brackets.
std::string zsh_text(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '\'') safe += "'\\''";
        else if (c == '[' || c == ']' || c == ':' || c == '\\') (safe += '\\') += c;
        else safe += c;
    }
    return safe;
}

std::string zsh_value(const CompletedOption& option) {
    if (!option.takes_value) return {};
    if (option.takes_file) return ":file:_files";
    return option.choices.empty() ? ":value: " : ":value:(" + joined_words(option.choices) + ")";
}

std::string zsh_arguments(const CompletedCommand& command) {
    std::string text;
    for (const auto& option : command.options)
        for (const auto& name : option.names)
            text += " \\\n        '" + name + "[" + zsh_text(option.description) + "]" + zsh_value(option) + "'";
    if (!command.steps.empty()) text += " \\\n        '1:step:(" + joined_words(command.steps) + ")'";
    if (command.operand == "file") text += " \\\n        '*:file:_files'";
    if (command.operand == "volume" || command.operand == "set") text += " \\\n        '*:" + command.operand + ":_quiescectl_" + command.operand + "s'";
    return text;
}

} // namespace

std::vector<CompletedCommand> completed_commands(const CLI::App& app) {
    std::vector<CompletedCommand> commands{command_of(app, "")};
    for (const auto* command : app.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); }))
        commands.push_back(command_of(*command, command->get_name()));
    return commands;
}

std::string bash_completion(const std::vector<CompletedCommand>& commands) {
    const auto valued = [](const CompletedOption& option) { return option.takes_value; };
    std::string text = "# bash completion of quiescectl; made by: quiescectl completion bash\n\n"
                       "_quiescectl() {\n"
                       "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= words= operand= i\n"
                       "    COMPREPLY=()\n"
                       "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                       "        case ${COMP_WORDS[i]} in\n"
                       "            " + option_names(commands, valued, " | ") + ") ((i++)) ;;\n"
                       "            -*) ;;\n"
                       "            *)\n"
                       "                command=${COMP_WORDS[i]}\n"
                       "                break\n"
                       "                ;;\n"
                       "        esac\n"
                       "    done\n"
                       "    case $prev in\n";
    std::vector<std::string> told;
    for (const auto& command : commands)
        for (const auto& option : command.options) {
            const auto first = joined_words(option.names);
            if (option.choices.empty() || std::find(told.begin(), told.end(), first) != told.end()) continue;
            told.push_back(first);
            text += "        " + option_names({{.name = {}, .description = {}, .options = {option}, .operand = {}, .steps = {}}}, valued, " | ") +
                    ")\n            mapfile -t COMPREPLY < <(compgen -W '" + joined_words(option.choices) + "' -- \"$cur\")\n            return\n            ;;\n";
        }
    text += "        " + option_names(commands, [](const CompletedOption& option) { return option.takes_file; }, " | ") +
            ")\n            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n            return\n            ;;\n"
            "        " + option_names(commands, [](const CompletedOption& option) { return option.takes_value && option.choices.empty() && !option.takes_file; }, " | ") +
            ") return ;;\n"
            "    esac\n"
            "    case $command in\n";
    for (const auto& command : commands) {
        std::string words = words_of(command);
        if (command.name.empty())
            for (const auto& other : commands)
                if (!other.name.empty()) words += " " + other.name;
        for (const auto& step : command.steps) words += " " + step;
        text += "        " + (command.name.empty() ? std::string("''") : command.name) + ")\n            words='" + words + "'\n";
        if (!command.operand.empty()) text += "            operand=" + command.operand + "\n";
        text += "            ;;\n";
    }
    text += "    esac\n"
            "    if [[ $cur != -* ]]; then\n"
            "        case $operand in\n"
            "            volume) words=$(" + std::string(kVolumes) + ") ;;\n"
            "            set) words=$(" + std::string(kSets) + ") ;;\n"
            "            file)\n"
            "                mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
            "                return\n"
            "                ;;\n"
            "        esac\n"
            "    fi\n"
            "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
            "}\n"
            "complete -F _quiescectl quiescectl\n";
    return text;
}

std::string zsh_completion(const std::vector<CompletedCommand>& commands) {
    std::string text = "#compdef quiescectl\n# zsh completion of quiescectl; made by: quiescectl completion zsh\n\n"
                       "_quiescectl_volumes() {\n"
                       "    local -a names=(\"${(@f)$(" + std::string(kVolumes) + ")}\")\n"
                       "    compadd -a names\n}\n"
                       "_quiescectl_sets() {\n"
                       "    local -a ids=(\"${(@f)$(" + std::string(kSets) + ")}\")\n"
                       "    compadd -a ids\n}\n\n"
                       "_quiescectl() {\n"
                       "    local curcontext=$curcontext state line\n"
                       "    local -a commands=(\n";
    for (const auto& command : commands)
        if (!command.name.empty()) text += "        '" + command.name + ":" + zsh_text(command.description) + "'\n";
    text += "    )\n"
            "    _arguments -C" + zsh_arguments(commands.front()) + " \\\n"
            "        '1:command:->command' '*::argument:->argument'\n"
            "    case $state in\n"
            "        command) _describe command commands ;;\n"
            "        argument)\n"
            "            case $words[1] in\n";
    for (const auto& command : commands)
        if (!command.name.empty()) text += "                " + command.name + ") _arguments" + zsh_arguments(command) + " ;;\n";
    text += "            esac\n            ;;\n    esac\n}\n\n_quiescectl \"$@\"\n";
    return text;
}

} // namespace quiesced
