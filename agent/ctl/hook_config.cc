// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/hook_config.h"

#include <ini.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>
#include <sstream>

#include "base/command_line.h"
#include "base/limit_text.h"
#include "base/root_file.h"

namespace quiesced {
namespace {

using Problem = std::optional<std::string>;

// Those whose kernel code can be frozen; FIFREEZE of another one (vfat, iso9660) is refused and would fail the whole set.
constexpr auto kFreezable = std::to_array<std::string_view>({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2", "gfs2", "reiserfs"});

/// inih reads lines into a buffer of this size (INI_MAX_LINE) and would take the rest of a longer one for a line of its own.
constexpr std::size_t kLongestLine = 198;

constexpr std::chrono::seconds kLeastDeadline{1}, kMostDeadline{600};

bool contains(const std::vector<std::string>& list, const std::string& item) { return std::find(list.begin(), list.end(), item) != list.end(); }

class Reader {
public:
    static int take(void* reader, const char* section, const char* name, const char* value) {
        auto& self = *static_cast<Reader*>(reader);
        if (!self.problem) self.problem = self.take_key(section, name, value == nullptr ? "" : value);
        return self.problem ? 0 : 1;
    }
    HookConfig config;
    Problem problem;

private:
    Problem take_key(const std::string& section, const std::string& key, const std::string& value) {
        if (section != "hook") return section.empty() ? "keys stand below [hook]" : "there is no section [" + section + "], only [hook]";
        // Each line adds: all of them may not fit on one.
        if (key == "volumes") return take_names(key, value, config.volumes);
        if (key == "leave_out") return take_names(key, value, config.leave_out);
        if (key == "in_guest") return take_names(key, value, config.in_guest);
        if (!seen_.insert(key).second) return key + " is given twice";
        if (key == "on_failure") {
            if (value != "abort" && value != "continue") return "on_failure is abort or continue, not '" + value + "'";
            config.may_fail = value == "continue";
            return std::nullopt;
        }
        if (key == "deadline") {
            const auto limit = parse_limit(value);
            if (!limit || *limit < kLeastDeadline || *limit > kMostDeadline) return "deadline is 1s to 600s, not '" + value + "'";
            config.deadline = *limit;
            return std::nullopt;
        }
        return "there is no key '" + key + "'";
    }
    static Problem take_names(const std::string& key, const std::string& value, std::vector<std::string>& names) {
        auto words = split_command(value);
        if (!words) return key + ": names of volumes, as quiescectl volumes shows them, the first of which begins with /";
        names.insert(names.end(), words->begin(), words->end());
        return std::nullopt;
    }

    std::set<std::string> seen_;
};

} // namespace

Result<HookConfig> parse_hook_config(const std::string& text) {
    std::istringstream lines(text);
    int number = 0;
    for (std::string line; std::getline(lines, line);)
        if (++number; line.size() > kLongestLine)
            return fail(ErrorKind::invalid_argument, "line " + std::to_string(number) + " is longer than " + std::to_string(kLongestLine) + " characters",
                        "The keys that take names can be given again, each line adds to them.");
    Reader reader;
    const int bad_line = ::ini_parse_string(text.c_str(), &Reader::take, &reader);
    if (reader.problem) return fail(ErrorKind::invalid_argument, "line " + std::to_string(bad_line) + ": " + *reader.problem);
    if (bad_line != 0) return fail(ErrorKind::invalid_argument, "line " + std::to_string(bad_line) + " is no 'key = value'");
    return std::move(reader.config);
}

Result<HookConfig> read_hook_config(const std::string& path) {
    const auto text = read_root_file(path);
    if (!text && text.error().error_number == ENOENT) return HookConfig{};
    if (!text) return tl::unexpected<Error>(text.error());
    auto config = parse_hook_config(*text);
    if (!config) config.error().context = path + ": " + config.error().context;
    return config;
}

HookVolumes choose_hook_volumes(const HookConfig& config, const Json& volumes) {
    HookVolumes chosen;
    if (!volumes.is_array()) return chosen;
    for (const auto& volume : volumes) {
        if (!volume.is_object()) continue;
        const auto name = text_of(volume, "name");
        const auto placement = text_of(volume, "placement");
        const auto type = text_of(volume, "file_system");
        if (contains(config.leave_out, name) || (!config.volumes.empty() && !contains(config.volumes, name))) continue;
        if (config.volumes.empty() && (texts_of(volume, "mount_points").empty() || !text_of(volume, "process").empty() || (placement != "virtual" && placement != "lun") ||
                                       std::find(kFreezable.begin(), kFreezable.end(), type) == kFreezable.end()))
            continue;
        chosen.names.push_back(name);
        if (placement == "virtual" && !contains(config.in_guest, name)) chosen.providers[name] = "host";
    }
    return chosen;
}

} // namespace quiesced
