// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/plan_text.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/join.h"
#include "ctl/table.h"
#include "ctl/volume_text.h"

namespace quiesced {
namespace {

constexpr std::size_t kIndent = 2;

std::optional<std::uint64_t> count_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<std::uint64_t>();
}

std::string bytes_of(const Json& object, const char* key, const std::string& unit = "") {
    const auto bytes = count_of(object, key);
    return bytes ? Bytes{*bytes}.text() + unit : std::string();
}

std::string heading(const std::string& text, const Screen& screen) { return "\n" + screen.paint(Colour::bold, text) + "\n"; }

/// A paragraph below a heading.
std::string paragraph(const std::string& text, const Screen& screen, Colour colour = Colour::plain, std::size_t indent = kIndent) {
    auto lines = wrap_text(text, screen.width - std::min(screen.width, indent), 0);
    lines.pop_back();
    std::string shown;
    for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
        end = lines.find('\n', at);
        shown += std::string(indent, ' ') + screen.paint(colour, lines.substr(at, end - at)) + "\n";
    }
    return shown;
}

std::string kind_of_error(const Json& object) {
    const auto name = text_of(object, "error_name");
    return name.substr(name.rfind('.') + 1);
}

std::string verdict(const Json& plan, const Screen& screen) {
    std::size_t members = 0;
    std::size_t refused = 0;
    for_each_object(plan, "members", [&](const Json& member) {
        ++members;
        if (!text_of(member, "error").empty()) ++refused;
    });
    const auto count = members == 1 ? std::string("1 volume") : std::to_string(members) + " volumes";
    std::string text;
    if (flag_of(plan, "feasible")) text = screen.paint(Colour::green, "A set of " + count + " can be taken.");
    else if (refused > 0) text = screen.paint(Colour::red, "This set would be refused: " + std::to_string(refused) + " of " + count + " cannot be members.");
    else text = screen.paint(Colour::red, members == 0 ? "There is nothing that a set could be taken of." : "A set of " + count + " would fail.");
    return text + " Nothing was touched.\n";
}

/// Who freezes what, and when.
std::string freeze_order(const Json& plan, const Screen& screen) {
    std::map<std::string, std::vector<Cell>> rows;
    const auto add = [&](const Json& volume, const std::string& cut_by) {
        const auto fills = number_of(volume, "fills_in_s");
        rows[text_of(volume, "name")] = {text_of(volume, "placement"), text_of(volume, "file_system"), cut_by, bytes_of(volume, "write_rate", "/s"),
                                         bytes_of(volume, "store"), fills ? duration_text(*fills * 1000) : std::string()};
    };
    for_each_object(plan, "members", [&](const Json& member) {
        if (text_of(member, "error").empty()) add(member, text_of(member, "provider"));
    });
    for_each_object(plan, "carried", [&](const Json& volume) { add(volume, "in " + text_of(volume, "inside")); });

    std::vector<std::vector<Cell>> table;
    const auto levels = plan.find("levels");
    std::size_t level = 0;
    if (levels != plan.end() && levels->is_array()) {
        for (const auto& names : *levels) {
            ++level;
            for (const auto& name : texts_of(names)) {
                std::vector<Cell> row{std::to_string(level), name};
                const auto found = rows.find(name);
                if (found == rows.end()) row.insert(row.end(), 6, Cell(""));
                else row.insert(row.end(), found->second.begin(), found->second.end());
                table.push_back(std::move(row));
            }
        }
    }
    if (table.empty()) return {};
    return heading(level < 2 ? "FREEZE: all at once" : "FREEZE: each level at once, 1 first; thawed the other way round", screen) +
           render_table({{"LEVEL", true}, {"VOLUME", false, true}, {"PLACEMENT"}, {"FSTYPE"}, {"PROVIDER", false, true}, {"WRITES", true}, {"STORE", true}, {"FULL IN", true}},
                        table, screen);
}

std::string refusals(const Json& plan, const Screen& screen) {
    std::string text;
    for_each_object(plan, "members", [&](const Json& member) {
        const auto error = text_of(member, "error");
        if (error.empty()) return;
        text += paragraph(text_of(member, "name") + " (" + kind_of_error(member) + "):", screen, Colour::red);
        text += paragraph(error, screen, Colour::plain, 2 * kIndent);
        for_each_object(member, "refusals", [&](const Json& refusal) {
            text += paragraph(text_of(refusal, "provider") + ": " + text_of(refusal, "reason"), screen, Colour::dim, 2 * kIndent);
        });
    });
    return text.empty() ? text : heading("REFUSED", screen) + text;
}

/// The same reason is said once, however many volumes it is for.
std::string providers(const Json& plan, const Screen& screen) {
    std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
    for_each_object(plan, "members", [&](const Json& member) {
        const auto provider = text_of(member, "provider");
        if (provider.empty()) return;
        const auto reason = provider + ": " + text_of(member, "provider_reason");
        auto found = std::find_if(reasons.begin(), reasons.end(), [&](const auto& known) { return known.first == reason; });
        if (found == reasons.end()) found = reasons.insert(found, {reason, {}});
        found->second.push_back(text_of(member, "name"));
    });
    std::string text;
    for (const auto& [reason, volumes] : reasons) {
        text += paragraph(reason, screen);
        text += paragraph(joined(volumes), screen, Colour::dim, 2 * kIndent);
    }
    for_each_object(plan, "providers", [&](const Json& provider) {
        const auto error = text_of(provider, "error");
        if (!error.empty()) text += paragraph(text_of(provider, "name") + " does not answer: " + error, screen, Colour::red);
    });
    return text.empty() ? text : heading("SNAPSHOTS BY", screen) + text;
}

std::string space(const Json& plan, const Screen& screen) {
    std::string text;
    for_each_object(plan, "space", [&](const Json& space) {
        const bool enough = flag_of(space, "enough");
        text += paragraph(text_of(space, "kind") + " " + text_of(space, "name") + ": " + (enough ? "" : "NOT ENOUGH. ") + text_of(space, "text"), screen,
                          enough ? Colour::plain : Colour::red);
    });
    return text.empty() ? text : heading("SPACE", screen) + text;
}

std::string writers(const Json& plan, const Screen& screen) {
    std::string text;
    int number = 0;
    std::size_t members = 0;
    for_each_object(plan, "members", [&](const Json& /*member*/) { ++members; });
    for_each_object(plan, "writers", [&](const Json& writer) {
        auto path = text_of(writer, "path");
        if (path.empty()) path = text_of(writer, "name");
        text += paragraph(std::to_string(++number) + ". " + text_of(writer, "kind") + " " + path, screen);
        const auto volumes = texts_of(writer, "volumes");
        if (!volumes.empty() && volumes.size() < members) text += paragraph("for " + joined(volumes), screen, Colour::dim, 2 * kIndent);
    });
    for (const auto& left_out : texts_of(plan, "writers_left_out")) text += paragraph("not run: " + left_out, screen, Colour::yellow);
    if (const auto error = text_of(plan, "writers_error"); !error.empty()) text += paragraph(error, screen, Colour::red);
    return text.empty() ? text : heading("WRITERS: run before the freeze, and after the thaw in reverse", screen) + text;
}

std::string warnings(const Json& plan, const Screen& screen) {
    std::string text;
    for_each_object(plan, "warnings", [&](const Json& warning) {
        text += paragraph("! " + text_of(warning, "text"), screen, Colour::yellow);
        if (const auto volumes = texts_of(warning, "volumes"); !volumes.empty()) text += paragraph(joined(volumes), screen, Colour::dim, 2 * kIndent);
        if (const auto advice = text_of(warning, "advice"); !advice.empty()) text += paragraph(advice, screen, Colour::plain, 2 * kIndent);
    });
    return text.empty() ? text : heading("WARNINGS", screen) + text;
}

std::string skipped(const Json& plan, const Screen& screen) {
    std::vector<std::vector<Cell>> rows;
    std::vector<std::string> others;
    for_each_object(plan, "skipped", [&](const Json& volume) {
        if (is_of_interest(volume)) rows.push_back({text_of(volume, "name"), kind_of_error(volume), text_of(volume, "reason")});
        else others.push_back(text_of(volume, "name"));
    });
    if (rows.empty() && others.empty()) return {};
    auto text = heading("SKIPPED", screen);
    if (!rows.empty()) text += render_table({{"VOLUME", false, true}, {"WHY"}, {"REASON", false, true}}, rows, screen);
    if (!others.empty()) text += paragraph((rows.empty() ? "" : "and ") + std::to_string(others.size()) + " without a disk, such as " + others.front(), screen, Colour::dim);
    return text;
}

} // namespace

std::string render_plan(const Json& plan, const Screen& screen) {
    return verdict(plan, screen) + refusals(plan, screen) + freeze_order(plan, screen) + providers(plan, screen) + space(plan, screen) + writers(plan, screen) +
           warnings(plan, screen) + skipped(plan, screen);
}

} // namespace quiesced
