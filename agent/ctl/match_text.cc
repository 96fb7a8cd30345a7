// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/match_text.h"

#include <algorithm>
#include <vector>

#include "base/join.h"
#include "ctl/table.h"

namespace quiesced {
namespace {

tl::unexpected<Error> bad(std::string what) {
    return fail(ErrorKind::invalid_argument, std::move(what),
                R"(Give a list of disks, such as [{"id": "disk-1", "serial": "...", "type": "virtual"}]; see quiescectl(1).)");
}

Colour colour_of(const std::string& result) {
    if (result == "matched") return Colour::green;
    return result == "ambiguous" ? Colour::yellow : Colour::red;
}

/// What the requestor calls it, else its place in the list.
std::string title_of(const Json& match, std::size_t index) {
    const auto id = text_of(match, "id");
    return id.empty() ? "#" + std::to_string(index) : id;
}

std::vector<std::string> notes_of(const Json& match) {
    std::vector<std::string> notes;
    if (auto reason = text_of(match, "reason"); !reason.empty()) notes.push_back(std::move(reason));
    if (const auto candidates = texts_of(match, "candidates"); !candidates.empty()) notes.push_back("Candidates: " + joined(candidates) + ".");
    for (auto& contradiction : texts_of(match, "contradictions")) notes.push_back(std::move(contradiction));
    return notes;
}

} // namespace

Result<Json> parse_match_request(std::string_view text) {
    auto list = Json::parse(text, nullptr, false);
    if (list.is_discarded()) return bad("this is no JSON");
    if (!list.is_array()) return bad("this is no list");
    auto disks = Json::array();
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto& entry = list[i];
        if (!entry.is_object()) return bad("disk " + std::to_string(i) + " is no object");
        auto disk = Json::object();
        for (const auto& [key, value] : entry.items()) {
            if (value.is_null()) continue;
            if (!value.is_string() && !value.is_number_unsigned())
                return bad("disk " + std::to_string(i) + ": '" + key.substr(0, 64) + "' is neither a text nor a whole number");
            disk[key] = value;
        }
        disks.push_back(std::move(disk));
    }
    return disks;
}

bool all_matched(const Json& matches) {
    return matches.is_array() && std::all_of(matches.begin(), matches.end(), [](const Json& match) { return text_of(match, "result") == "matched"; });
}

std::string render_matches(const Json& matches, const Screen& screen) {
    std::vector<std::vector<Cell>> rows;
    std::string notes;
    for (std::size_t i = 0; i < matches.size(); ++i) {
        const auto& match = matches[i];
        const auto result = text_of(match, "result");
        rows.push_back({title_of(match, i), Cell(flag_of(match, "weak") ? result + " (weak)" : result, colour_of(result)), text_of(match, "device"),
                        text_of(match, "placement"), texts_of(match, "matched_on"), texts_of(match, "volumes")});
        for (const auto& note : notes_of(match)) notes += wrap_text(title_of(match, i) + ": " + note, screen.width, 2);
    }
    return render_table({{"ID", false, true}, {"RESULT"}, {"DEVICE", false, true}, {"PLACEMENT"}, {"MATCHED ON", false, true}, {"VOLUMES", false, true}}, rows, screen) +
           (notes.empty() ? "" : "\n" + notes);
}

} // namespace quiesced
