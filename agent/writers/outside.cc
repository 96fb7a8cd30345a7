// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/outside.h"

#include <cctype>
#include <cstdio>

#include "base/child.h"

namespace quiesced {
namespace {

constexpr std::chrono::seconds kKillLimit{5};
constexpr std::size_t kLongestUnit = 200; ///< systemd takes 255 with ".service"

/// systemd replaces $NAME in a command's arguments (systemd.service(5)).
std::string unexpanded(const std::string& word) {
    std::string safe;
    for (const char c : word) safe += c == '$' ? std::string("$$") : std::string(1, c);
    return safe;
}

} // namespace

std::string outside_unit(const std::string& set, const std::string& writer, const std::string& step) {
    std::string name = "quiesced-writer-" + set + "-";
    for (const char c : writer) {
        char text[8]; // NOLINT(cppcoreguidelines-avoid-c-arrays)
        std::snprintf(text, sizeof text, std::isalnum(static_cast<unsigned char>(c)) != 0 ? "%c" : "_%02x", static_cast<unsigned char>(c));
        name += text;
        if (name.size() > kLongestUnit) break;
    }
    return name + "-" + step;
}

std::vector<std::string> Outside::wrap(const std::vector<std::string>& argv, const std::vector<std::string>& environment, const std::string& unit,
                                       std::chrono::milliseconds limit) const {
    if (!active()) return argv;
    std::vector<std::string> words{runner_, "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec", "--unit=" + unit,
                                   "--property=TimeoutStopSec=2s", "--description=quiesced: " + argv.front()};
    if (limit.count() > 0) words.push_back("--property=RuntimeMaxSec=" + std::to_string(limit.count()) + "ms");
    for (const auto& variable : environment) words.push_back("--setenv=" + variable);
    words.emplace_back("--");
    words.push_back(argv.front());
    for (std::size_t i = 1; i < argv.size(); ++i) words.push_back(unexpanded(argv[i]));
    return words;
}

void Outside::kill(const std::string& unit) const {
    if (!active()) return;
    ChildOptions options;
    options.limit = kKillLimit;
    static_cast<void>(run_child({"systemctl", "kill", "--signal=KILL", unit + ".service"}, options)); // none is there mostly
    // Its start may still be queued, when whoever asked for it was killed at once.
    static_cast<void>(run_child({"systemctl", "stop", unit + ".service"}, options));
}

} // namespace quiesced
