// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/writer_config.h"

#include <fcntl.h>
#include <ini.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "base/command_line.h"
#include "base/file.h"
#include "base/limit_text.h"
#include "writers/hook_directory.h"

namespace quiesced {
namespace {

using Type = WriterConfig::Type;
using Method = WriterConfig::Method;
using Problem = std::optional<std::string>;

constexpr std::string_view kSuffix = ".conf";
constexpr int kLastOrder = WriterConfig::kNoOrder - 1;

/// inih reads lines into a buffer of this size (INI_MAX_LINE) and would take the rest of a longer one for a line of its own.
constexpr std::size_t kLongestLine = 198;

// Without these nothing thaws any more: the bus, the log, the service manager, we ourselves, and what contains them.
constexpr auto kNeededUnits = std::to_array<std::string_view>(
    {"quiesced", "dbus", "systemd-", "init.scope", "-.slice", "system.slice", "polkit", "user.slice"});

bool is_unit_name(std::string_view name) {
    constexpr std::string_view marks = ":-_.\\@";
    return !name.empty() && name.size() < 256 && name.find('.') != std::string_view::npos &&
           std::all_of(name.begin(), name.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
           });
}

Problem take_unit(const std::string& value, WriterConfig& config) {
    if (!is_unit_name(value)) return "unit is the full name of a unit such as app.service, not '" + value + "'";
    const auto needed = std::find_if(kNeededUnits.begin(), kNeededUnits.end(), [&](std::string_view name) { return value.starts_with(name); });
    if (needed != kNeededUnits.end()) return value + " cannot be a writer: the thaw needs it";
    config.unit = value;
    return std::nullopt;
}

Problem take_volumes(const std::string& value, WriterConfig& config) {
    auto paths = split_command(value);
    if (!paths) return "volumes: " + paths.error().context;
    for (const auto& path : *paths)
        if (!path.starts_with('/')) return "volumes are absolute paths on them, not '" + path + "'";
    config.volumes = std::move(*paths);
    return std::nullopt;
}

class Reader {
public:
    /// As inih wants it: 0 is an error.
    static int take(void* reader, const char* section, const char* name, const char* value) {
        auto& self = *static_cast<Reader*>(reader);
        if (!self.problem) self.problem = self.take_key(section, name, value == nullptr ? "" : value);
        return self.problem ? 0 : 1;
    }

    /// What no single line shows.
    [[nodiscard]] Problem complaint() const {
        if (!seen_.contains("type")) return "type is missing: script, session or unit";
        const bool is_unit = config.type == Type::unit;
        if (is_unit && config.unit.empty()) return "unit is missing";
        if (!is_unit && config.command.empty()) return "command is missing";
        if (is_unit && !config.command.empty()) return "a writer of the type unit has no command";
        if (!is_unit && seen_.contains("unit")) return "only a writer of the type unit has a unit";
        if (!is_unit && seen_.contains("method")) return "only a writer of the type unit has a method";
        return std::nullopt;
    }

    WriterConfig config;
    Problem problem;

private:
    Problem take_key(const std::string& section, const std::string& key, const std::string& value) {
        if (section != "writer") return section.empty() ? "keys stand below [writer]" : "there is no section [" + section + "], only [writer]";
        if (!seen_.insert(key).second) return key + " is given twice (a line that begins with a blank goes on with the one above)";
        if (key == "type") return choose(key, value, config.type, {{"script", Type::script}, {"session", Type::session}, {"unit", Type::unit}});
        if (key == "method") return choose(key, value, config.method, {{"freeze", Method::freeze}, {"stop", Method::stop}});
        if (key == "on_failure") return choose(key, value, config.may_fail, {{"abort", false}, {"continue", true}});
        if (key == "unit") return take_unit(value, config);
        if (key == "volumes") return take_volumes(value, config);
        if (key == "command") {
            auto argv = split_command(value);
            if (!argv) return key + ": " + argv.error().context;
            config.command = std::move(*argv);
            return std::nullopt;
        }
        if (key == "limit") {
            const auto limit = parse_limit(value);
            if (!limit) return "limit is a time of at most an hour like 60s or 500ms, not '" + value + "'";
            config.limit = *limit;
            return std::nullopt;
        }
        if (key == "order") {
            const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), config.order);
            if (error != std::errc{} || end != value.data() + value.size() || config.order < 0 || config.order > kLastOrder)
                return "order is a number from 0 to " + std::to_string(kLastOrder) + ", not '" + value + "'";
            return std::nullopt;
        }
        if (key == "password") return "a password does not belong into this file: see quiesced-writers(7) about credentials";
        return "there is no key '" + key + "'";
    }

    template <typename Value>
    static Problem choose(const std::string& key, const std::string& value, Value& chosen,
                          std::initializer_list<std::pair<std::string_view, Value>> choices) {
        std::string names;
        for (const auto& [name, meaning] : choices) {
            if (value == name) {
                chosen = meaning;
                return std::nullopt;
            }
            names += (names.empty() ? "" : " or ") + std::string(name);
        }
        return key + " is " + names + ", not '" + value + "'";
    }

    std::set<std::string> seen_;
};

tl::unexpected<Error> invalid(std::string what) { return fail(ErrorKind::invalid_argument, std::move(what)); }

Result<WriterConfig> read_one(const std::string& path, const std::string& name) {
    auto trusted = trusted_path(path);
    if (!trusted) return pass(trusted);
    const auto file = open_at(AT_FDCWD, *trusted, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (!file) return tl::unexpected<Error>(file.error());
    struct stat status {};
    if (::fstat(file->get(), &status) != 0) return fail_errno("cannot look at " + path);
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::io, path + " is no file");
    const auto text = read_file("/proc/self/fd/" + std::to_string(file->get()), 1U << 20U);
    if (!text) return tl::unexpected<Error>(text.error());
    auto config = parse_writer_config(name, *text);
    if (!config) {
        config.error().context = path + ": " + config.error().context;
        return config;
    }
    if (config->command.empty()) return config;
    if (auto program = trusted_path(config->command.front()); !program) {
        program.error().context = path + ": " + program.error().context;
        return pass(program);
    }
    return config;
}

} // namespace

std::string type_name(WriterConfig::Type type) {
    switch (type) {
    case Type::script: return "script";
    case Type::session: return "session";
    case Type::unit: return "unit";
    }
    return {};
}

Result<WriterConfig> parse_writer_config(const std::string& name, const std::string& text) {
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
    if (reader.problem) return invalid("line " + std::to_string(bad_line) + ": " + *reader.problem);
    if (bad_line > 0) return invalid("line " + std::to_string(bad_line) + " is no 'key = value'");
    if (bad_line < 0) return invalid("it cannot be read as an INI file");
    if (const auto what = reader.complaint()) return invalid(*what);
    reader.config.name = name;
    return std::move(reader.config);
}

Result<std::vector<WriterFile>> survey_writer_configs(const std::string& directory) {
    std::vector<WriterFile> files;
    const auto names = list_directory_at(AT_FDCWD, directory);
    if (struct stat status{}; !names && names.error().error_number == ENOENT && ::lstat(directory.c_str(), &status) != 0) return files;
    if (!names) return fail_errno("cannot read the writers' directory " + directory, names.error().error_number, ErrorKind::io);
    for (const auto& file : *names) {
        if (!file.ends_with(kSuffix) || is_ignored_hook(file)) continue;
        const auto name = file.substr(0, file.size() - kSuffix.size());
        const auto path = directory + "/" + file;
        files.push_back({.name = name, .path = path, .config = read_one(path, name)});
    }
    return files;
}

Result<std::vector<WriterConfig>> read_writer_configs(const std::string& directory) {
    auto files = survey_writer_configs(directory);
    if (!files) return pass(files);
    std::vector<WriterConfig> configs;
    std::string refused;
    ErrorKind kind = ErrorKind::invalid_argument;
    for (auto& file : *files) {
        if (file.config) {
            configs.push_back(std::move(*file.config));
            continue;
        }
        auto& error = file.config.error();
        error.advice.clear(); // once, at the end
        refused += (refused.empty() ? "" : "; ") + error.message();
        if (error.kind != ErrorKind::invalid_argument) kind = error.kind;
    }
    if (refused.empty()) return configs;
    return fail(kind, "no writer is quiesced, since not all can be: " + refused,
                "Mend the file, or move it away. Files and programs must be root's own (chown root, chmod go-w).");
}

} // namespace quiesced
