// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/exec/exec_config.h"

#include <ini.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <sstream>

#include "base/command_line.h"
#include "base/limit_text.h"
#include "base/root_file.h"

namespace quiesced {
namespace {

struct Method {
    std::string_view name;
    std::chrono::milliseconds limit; ///< a little less than quiesced's own, so that the answer still counts
};

constexpr auto kMethods = std::to_array<Method>({
    {"claim", std::chrono::seconds(14)},
    {"prepare", std::chrono::seconds(110)},
    {"commit", std::chrono::milliseconds(4500)},
    {"finish", std::chrono::seconds(110)},
    {"abort", std::chrono::seconds(50)},
    {"delete", std::chrono::seconds(110)},
    {"map", std::chrono::seconds(110)},
    {"unmap", std::chrono::seconds(110)},
    {"list", std::chrono::seconds(110)},
});

/// inih reads lines into a buffer of this size (INI_MAX_LINE) and would take the rest of a longer one for a line of
/// its own.
constexpr std::size_t kLongestLine = 198;

tl::unexpected<Error> invalid(std::string what) { return fail(ErrorKind::invalid_argument, std::move(what)); }

std::optional<bool> parse_bool(std::string_view text) {
    if (text == "yes" || text == "true" || text == "on" || text == "1") return true;
    if (text == "no" || text == "false" || text == "off" || text == "0") return false;
    return std::nullopt;
}

class Reader {
public:
    Reader() {
        for (const auto& method : kMethods)
            config_.commands[std::string(method.name)] = ExecCommand{.argv = {}, .limit = method.limit};
    }

    /// As inih wants it: 0 is an error.
    static int take(void* reader, const char* section, const char* name, const char* value) {
        auto& self = *static_cast<Reader*>(reader);
        if (!self.problem_) self.problem_ = self.take_key(section, name, value == nullptr ? "" : value);
        return self.problem_ ? 0 : 1;
    }

    [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }
    [[nodiscard]] ExecConfig config() && { return std::move(config_); }

private:
    std::optional<std::string> take_key(const std::string& section, const std::string& key, const std::string& value) {
        if (!section.empty() && section != "exec") return "there is no section [" + section + "], only [exec]";
        if (!seen_.insert(key).second) return key + " is given twice (a line that begins with a blank goes on with the one above)";
        if (key == "wwid" || key == "vendor") {
            std::istringstream words(value);
            auto& patterns = key == "wwid" ? config_.wwid : config_.vendor;
            for (std::string word; words >> word;) patterns.push_back(word);
            return patterns.empty() ? std::optional(key + " is empty") : std::nullopt;
        }
        if (key == "preload" || key == "commit_ready") {
            const auto flag = parse_bool(value);
            if (!flag) return key + " is yes or no, not '" + value + "'";
            (key == "preload" ? config_.preload : config_.commit_ready) = *flag;
            return std::nullopt;
        }
        const bool is_limit = key.ends_with("_limit");
        const auto found = config_.commands.find(is_limit ? key.substr(0, key.size() - 6) : key);
        if (found == config_.commands.end()) return "there is no key '" + key + "'";
        if (is_limit) {
            const auto limit = parse_limit(value);
            if (!limit) return key + " is a time of at most an hour like 4.5s or 500ms, not '" + value + "'";
            found->second.limit = *limit;
            return std::nullopt;
        }
        auto argv = split_command(value);
        if (!argv) return key + ": " + argv.error().context;
        found->second.argv = std::move(*argv);
        return std::nullopt;
    }

    ExecConfig config_;
    std::set<std::string> seen_;
    std::optional<std::string> problem_;
};

Result<void> check_program(const std::string& method, const std::string& program) {
    struct stat status {};
    if (::stat(program.c_str(), &status) != 0) return fail_errno(method + ": cannot use " + program, errno, ErrorKind::io);
    if (!S_ISREG(status.st_mode) || (status.st_mode & 0111U) == 0)
        return fail(ErrorKind::io, method + ": " + program + " is no program", "Run: chmod +x " + program);
    return check_root_owned(status, program);
}

} // namespace

Result<ExecConfig> parse_exec_config(const std::string& text) {
    std::istringstream lines(text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (line.size() > kLongestLine)
            return invalid("line " + std::to_string(number) + " is longer than " + std::to_string(kLongestLine) +
                           " characters; put the command into a script");
    }
    Reader reader;
    const int bad_line = ::ini_parse_string(text.c_str(), &Reader::take, &reader);
    if (reader.problem()) return invalid("line " + std::to_string(bad_line) + ": " + *reader.problem());
    if (bad_line > 0) return invalid("line " + std::to_string(bad_line) + " is no 'key = value'");
    if (bad_line < 0) return invalid("it cannot be read as an INI file");

    auto config = std::move(reader).config();
    for (const char* method : {"commit", "abort"})
        if (config.command(method).argv.empty()) return invalid(std::string("there is no command for ") + method);
    if (config.command("claim").argv.empty() && config.wwid.empty() && config.vendor.empty())
        return invalid("it says for no LUN that it is its own: set wwid, vendor or claim");
    if (config.commit_ready && !config.preload) return invalid("commit_ready needs preload = yes");
    auto& remove = config.commands.at("delete");
    if (remove.argv.empty()) remove.argv = config.command("abort").argv; // both remove all that the set has
    return config;
}

Result<ExecConfig> read_exec_config(const std::string& path) {
    const auto text = read_root_file(path);
    if (!text) return tl::unexpected<Error>(text.error());
    auto config = parse_exec_config(*text);
    if (!config) {
        config.error().context = path + ": " + config.error().context;
        return config;
    }
    for (const auto& [method, command] : config->commands) {
        if (command.argv.empty()) continue;
        auto checked = check_program(method, command.argv.front());
        if (checked) continue;
        checked.error().context = path + ": " + checked.error().context;
        return pass(checked);
    }
    return config;
}

} // namespace quiesced
