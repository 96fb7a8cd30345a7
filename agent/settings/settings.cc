// SPDX-License-Identifier: LGPL-2.1-or-later
#include "settings/settings.h"

#include <ini.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <sstream>

namespace quiesced {
namespace {

using std::chrono::milliseconds;

/// Puts a value in its place; what is wrong with it, else.
using Setter = std::function<std::optional<std::string>(Settings&, const std::string& value)>;

struct Key {
    std::string_view section;
    std::string_view name;
    Setter set;
};

struct Unit {
    std::string_view name;
    double milliseconds;
};
/// Longer names first: "ms" ends with "s".
constexpr auto kUnits = std::to_array<Unit>({{"min", 60e3}, {"ms", 1}, {"h", 3600e3}, {"s", 1e3}});

std::optional<milliseconds> parse_time(std::string_view text) {
    double factor = 1e3;
    for (const auto& unit : kUnits)
        if (text.ends_with(unit.name)) {
            factor = unit.milliseconds;
            text.remove_suffix(unit.name.size());
            break;
        }
    while (text.ends_with(' ')) text.remove_suffix(1);
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    const double result = number * factor;
    if (!(result >= 0) || result > 1e12) return std::nullopt;
    return milliseconds(static_cast<std::int64_t>(result + 0.5));
}

std::string time_text(milliseconds time) {
    const auto count = time.count();
    if (count % 3600000 == 0 && count > 0) return std::to_string(count / 3600000) + "h";
    if (count % 60000 == 0 && count > 0) return std::to_string(count / 60000) + "min";
    if (count % 1000 == 0) return std::to_string(count / 1000) + "s";
    return std::to_string(count) + "ms";
}

/// `zero`: 0 is possible, too, and means none.
Setter time(milliseconds Settings::*field, milliseconds least, milliseconds most, bool zero = false) {
    return [=](Settings& settings, const std::string& value) -> std::optional<std::string> {
        const auto read = parse_time(value);
        const bool fits = read && ((*read >= least && *read <= most) || (zero && read->count() == 0));
        if (!fits) return "must be a time from " + time_text(least) + " to " + time_text(most) + (zero ? ", or 0 for none" : "") + ", not '" + value + "'";
        settings.*field = *read;
        return std::nullopt;
    };
}

/// `zero`: 0 is possible, too, and means off.
Setter number(std::uint64_t Settings::*field, std::uint64_t least, std::uint64_t most, bool zero = false) {
    return [=](Settings& settings, const std::string& value) -> std::optional<std::string> {
        std::uint64_t read = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), read);
        if (error != std::errc{} || end != value.data() + value.size() || ((read < least || read > most) && !(zero && read == 0)))
            return "must be a number from " + std::to_string(least) + " to " + std::to_string(most) + (zero ? ", or 0 for off" : "") + ", not '" + value + "'";
        settings.*field = read;
        return std::nullopt;
    };
}

/// A power of two; bytes in `settings`, K in the file.
Setter chunk(std::uint64_t Settings::*field, std::uint64_t least, std::uint64_t most) {
    return [=](Settings& settings, const std::string& value) -> std::optional<std::string> {
        constexpr std::uint64_t kibi = 1024;
        std::uint64_t read = 0;
        const auto* const last = value.data() + value.size();
        const auto [end, error] = std::from_chars(value.data(), last, read);
        if (error != std::errc{} || std::string_view(end, last) != "K" || !std::has_single_bit(read) || read < least / kibi || read > most / kibi)
            return "must be a power of two from " + std::to_string(least / kibi) + "K to " + std::to_string(most / kibi) + "K, not '" + value + "'";
        settings.*field = read * kibi;
        return std::nullopt;
    };
}

Setter flag(bool Settings::*field) {
    return [=](Settings& settings, const std::string& value) -> std::optional<std::string> {
        const bool yes = value == "yes" || value == "true" || value == "on" || value == "1";
        if (!yes && value != "no" && value != "false" && value != "off" && value != "0") return "must be yes or no, not '" + value + "'";
        settings.*field = yes;
        return std::nullopt;
    };
}

Setter directory(std::string Settings::*field) {
    return [=](Settings& settings, const std::string& value) -> std::optional<std::string> {
        if (!value.starts_with('/')) return "must be an absolute path, not '" + value + "'";
        settings.*field = value;
        return std::nullopt;
    };
}

/// The name of a volume group, as lvm(8) has it.
Setter volume_group(std::string Settings::*field) {
    return [=](Settings& settings, const std::string& value) -> std::optional<std::string> {
        constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-";
        constexpr std::size_t longest = 127;
        if (value.size() > longest || value.starts_with('-') || value == "." || value == ".." || value.find_first_not_of(letters) != std::string::npos)
            return "must be the name of a volume group or empty, not '" + value + "'";
        settings.*field = value;
        return std::nullopt;
    };
}

Setter one_of(std::string Settings::*field, std::vector<std::string> words) {
    return [field, words = std::move(words)](Settings& settings, const std::string& value) -> std::optional<std::string> {
        if (std::find(words.begin(), words.end(), value) == words.end()) {
            std::string all;
            for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
            return "must be one of " + all + ", not '" + value + "'";
        }
        settings.*field = value;
        return std::nullopt;
    };
}

const std::vector<Key>& keys() {
    using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;
    static const std::vector<Key> all{
        {"daemon", "log_level", one_of(&Settings::log_level, {"debug", "info", "warning", "error"})},
        {"daemon", "state_directory", directory(&Settings::state_directory)},
        {"daemon", "plugin_directory", directory(&Settings::plugin_directory)},
        {"daemon", "hooks_directory", directory(&Settings::hooks_directory)},
        {"daemon", "writers_directory", directory(&Settings::writers_directory)},
        {"sets", "most_unfinished", number(&Settings::most_unfinished, 1, 64)},
        {"sets", "most_of_a_caller", number(&Settings::most_of_a_caller, 1, 64)},
        {"sets", "deadline", time(&Settings::deadline, milliseconds(100), minutes(10))},
        {"sets", "member_limit", time(&Settings::member_limit, milliseconds(10), minutes(10), true)},
        {"sets", "prepare_limit", time(&Settings::prepare_limit, seconds(1), hours(24), true)},
        {"sets", "keep_failed", time(&Settings::keep_failed, seconds(1), hours(24))},
        {"window", "flush_bound", time(&Settings::flush_bound, seconds(1), minutes(10))},
        {"window", "relinquish_journal", flag(&Settings::relinquish_journal)},
        {"space", "chunk_size", chunk(&Settings::chunk_size, 4U << 10U, 512U << 10U)},
        {"space", "extend_at", number(&Settings::extend_at, 50, 95, true)},
        {"space", "extend_by", number(&Settings::extend_by, 5, 200)},
        {"writers", "script_limit", time(&Settings::script_limit, seconds(1), hours(1))},
        {"dm", "store_group", volume_group(&Settings::store_group)},
    };
    return all;
}

/// inih reads lines into a buffer of this size (INI_MAX_LINE) and would take the rest of a longer one for a line of its own.
constexpr std::size_t kLongestLine = 198;

/// One file: inih hands over keys, and says by its return value the line of the first that was refused only. So each is noted here.
class Reader {
public:
    explicit Reader(Settings& settings) : settings_(settings) {}

    /// As inih wants it: 0 is an error.
    static int take(void* reader, const char* section, const char* name, const char* value) {
        auto& self = *static_cast<Reader*>(reader);
        self.problem_ = self.take_key(section, name, value == nullptr ? "" : value);
        return self.problem_ ? 0 : 1;
    }
    [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }
    void forget_problem() { problem_.reset(); }

private:
    std::optional<std::string> take_key(const std::string& section, const std::string& name, const std::string& value) {
        if (section.empty()) return "'" + name + "' stands before the first [section]";
        const auto same_section = [&](const Key& key) { return key.section == section; };
        if (std::none_of(keys().begin(), keys().end(), same_section)) return "there is no section [" + section + "]";
        const auto key = std::find_if(keys().begin(), keys().end(), [&](const Key& entry) { return same_section(entry) && entry.name == name; });
        if (key == keys().end()) return "there is no key '" + name + "' in [" + section + "]";
        if (!seen_.insert(section + "." + name).second) return name + " is given twice";
        auto problem = key->set(settings_, value);
        if (problem) problem = name + " " + *problem;
        return problem;
    }

    Settings& settings_;
    std::set<std::string> seen_;
    std::optional<std::string> problem_;
};

/// The line alone, in its section: so that every wrong one is told, with its number.
std::string problem_of_line(const std::string& section, const std::string& line, Reader& reader) {
    reader.forget_problem();
    const auto text = (section.empty() ? "" : section + "\n") + line + "\n";
    const int bad = ::ini_parse_string(text.c_str(), &Reader::take, &reader);
    if (bad == 0) return {};
    return reader.problem() ? *reader.problem() : "this is no 'key = value', no [section] and no comment";
}

} // namespace

std::vector<std::string> apply_settings(const std::string& text, Settings& settings) {
    std::vector<std::string> problems;
    Reader reader(settings);
    std::istringstream lines(text);
    std::string section;
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        std::string problem;
        if (line.find('\0') != std::string::npos) problem = "there is a zero byte in this line";
        else if (line.size() > kLongestLine) problem = "this line is longer than " + std::to_string(kLongestLine) + " characters";
        else problem = problem_of_line(section, line, reader);
        if (const auto head = line.find_first_not_of(" \t"); problem.empty() && head != std::string::npos && line[head] == '[') section = line;
        if (!problem.empty()) problems.push_back(std::to_string(number) + ": " + problem);
    }
    return problems;
}

std::vector<std::string> setting_names() {
    std::vector<std::string> names;
    for (const auto& key : keys()) names.push_back(std::string(key.section) + "." + std::string(key.name));
    return names;
}

} // namespace quiesced
