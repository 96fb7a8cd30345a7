// SPDX-License-Identifier: LGPL-2.1-or-later
#include "journal_entry.h"

#include <utility>

#include "messages.h"

namespace quiesced {

std::string pack_fields(const LogFields& fields) {
    std::string packed;
    for (const auto& [name, value] : {std::pair{"QUIESCED_SET=", fields.set}, {"QUIESCED_VOLUME=", fields.volume}, {"QUIESCED_STATE=", fields.state}}) {
        // A path may have a line break, and would then pass for a field of its own.
        if (value.empty() || value.find('\n') != std::string_view::npos) continue;
        packed.append(name).append(value).append("\n");
    }
    return packed;
}

std::vector<std::string> journal_entry(const LogRing::Line& line, int priority, const std::string& text) {
    std::vector<std::string> entry{"MESSAGE=" + text, "PRIORITY=" + std::to_string(priority), "SYSLOG_IDENTIFIER=quiesced"};
    if (line.message != 0 && line.message < kMessageIds.size()) entry.push_back("MESSAGE_ID=" + std::string(kMessageIds.at(line.message)));
    auto rest = line.fields();
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        entry.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    return entry;
}

} // namespace quiesced
