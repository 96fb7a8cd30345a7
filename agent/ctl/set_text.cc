// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/set_text.h"

#include <algorithm>
#include <optional>

#include "ctl/table.h"

namespace quiesced {
namespace {

std::string time_or_dash(const std::optional<double>& ms) { return ms ? duration_text(*ms) : "-"; }

Colour colour_of_state(const std::string& state) {
    if (state == "complete") return Colour::green;
    if (state == "failed" || state == "aborting") return Colour::red;
    return Colour::yellow;
}

} // namespace

std::string render_set(const ManifestView& set, const Screen& screen) {
    std::string text = "Set " + printable(set.id) + ": " + screen.paint(colour_of_state(set.state), printable(set.state));
    if (!set.consistency.empty()) text += ", consistency " + printable(set.consistency);
    if (set.window_ms) text += ", window " + duration_text(*set.window_ms);
    text += "\n";
    if (!set.created.empty()) text += "Made " + printable(set.created) + "\n";
    if (!set.error.empty()) text += screen.paint(Colour::red, "Failed: " + printable(set.error)) + "\n";
    for (const auto& name : set.stuck)
        text += screen.paint(Colour::red, "STILL FROZEN: " + printable(name)) + " (its freeze has not returned from the kernel)\n";
    for (const auto& note : set.notes) text += screen.paint(Colour::yellow, "Note: " + printable(note)) + "\n";

    std::vector<std::vector<Cell>> rows;
    for (const auto& member : set.members)
        rows.push_back({member.volume, member.placement, member.provider, member.snapshot, time_or_dash(member.freeze_ms),
                        time_or_dash(member.hold_ms)});
    text += "\n" + render_table({{"VOLUME", false, true},
                                 {"PLACEMENT"},
                                 {"PROVIDER", false, true},
                                 {"SNAPSHOT", false, true},
                                 {"FREEZE", true},
                                 {"HOLD", true}},
                                rows, screen);
    // Not in the table: a device's path is to be copied, so that it is never divided.
    for (const auto& member : set.members) {
        const auto volume = printable(member.volume);
        if (!member.device.empty()) text += "  " + volume + " is on " + printable(member.device) + "\n";
        if (member.revert == "done") text += "  " + screen.paint(Colour::yellow, volume + " was put back to its snapshot, which is gone with that") + "\n";
        if (member.revert == "running") text += "  " + screen.paint(Colour::yellow, volume + " is being put back to its snapshot") + "\n";
        if (member.revert == "pending")
            text += "  " + screen.paint(Colour::yellow, volume + " is put back to its snapshot when it is activated the next time, with the machine's start at the latest") + "\n";
        if (member.revert == "interrupted")
            text += "  " + screen.paint(Colour::red, volume + " was to be put back with the others, and is not: unmount it, then quiescectl revert " + printable(set.id)) + "\n";
        if (!member.error.empty()) text += "  " + screen.paint(Colour::red, volume + ": " + printable(member.error)) + "\n";
    }
    return text;
}

std::string render_sets(const std::vector<ManifestView>& sets, const Screen& screen) {
    if (sets.empty()) return "There is no snapshot set.\n";
    std::vector<std::vector<Cell>> rows;
    for (const auto& set : sets) {
        std::vector<std::string> volumes;
        for (const auto& member : set.members) volumes.push_back(member.volume);
        rows.push_back({set.id, Cell(set.state, colour_of_state(set.state)), revert_interrupted(set) ? Cell("revert interrupted", Colour::red) : Cell(set.consistency), set.created, volumes});
    }
    return render_table({{"SET"}, {"STATE"}, {"CONSISTENCY"}, {"MADE"}, {"VOLUMES", false, true}}, rows, screen);
}

std::string render_member_times(const ManifestView& set, const Screen& screen) {
    std::vector<std::vector<Cell>> rows;
    const bool failures = std::any_of(set.members.begin(), set.members.end(), [](const auto& member) { return !member.error.empty(); });
    for (const auto& member : set.members) {
        rows.push_back({member.volume, member.file_system, time_or_dash(member.flush_ms), time_or_dash(member.freeze_ms),
                        time_or_dash(member.hold_ms), time_or_dash(member.thaw_ms)});
        if (failures) rows.back().emplace_back(member.error, Colour::red);
    }
    std::vector<Column> columns{{"VOLUME", false, true}, {"FSTYPE"}, {"FLUSH", true}, {"FREEZE", true}, {"HOLD", true}, {"THAW", true}};
    if (failures) columns.push_back({"ERROR", false, true});
    return render_table(columns, rows, screen);
}

} // namespace quiesced
