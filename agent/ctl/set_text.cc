// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/set_text.h"

#include "ctl/table.h"
#include "ctl/timeline_chart.h"

namespace quiesced {
namespace {

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }
std::string time_or_dash(const std::optional<double>& ms) { return ms ? duration_text(*ms) : "-"; }

} // namespace

std::string render_set(const ManifestView& set) {
    std::string text = "Set " + set.id + ": " + set.state;
    if (!set.consistency.empty()) text += ", consistency " + set.consistency;
    if (set.window_ms) text += ", window " + duration_text(*set.window_ms);
    text += "\n";
    if (!set.created.empty()) text += "Made " + set.created + "\n";
    if (!set.error.empty()) text += "Failed: " + set.error + "\n";
    for (const auto& name : set.stuck) text += "STILL FROZEN: " + name + " (its freeze has not returned from the kernel)\n";

    std::vector<std::vector<std::string>> rows;
    for (const auto& member : set.members)
        rows.push_back({member.volume, or_dash(member.placement), or_dash(member.provider), or_dash(member.snapshot),
                        time_or_dash(member.freeze_ms), time_or_dash(member.hold_ms)});
    text += "\n" + render_table({{"VOLUME", false, 8},
                                 {"PLACEMENT"},
                                 {"PROVIDER", false, 8},
                                 {"SNAPSHOT", false, 12},
                                 {"FREEZE", true},
                                 {"HOLD", true}},
                                rows);
    // Not in the table: a device's path is to be copied, so that it is never cut.
    for (const auto& member : set.members) {
        if (!member.device.empty()) text += "  " + fit_text(member.volume, kScreenWidth) + " is on " + member.device + "\n";
        if (!member.error.empty()) text += "  " + fit_text(member.volume, kScreenWidth) + ": " + member.error + "\n";
    }
    return text;
}

std::string render_sets(const std::vector<ManifestView>& sets) {
    if (sets.empty()) return "There is no snapshot set.\n";
    std::vector<std::vector<std::string>> rows;
    for (const auto& set : sets) {
        std::string volumes;
        for (const auto& member : set.members) volumes += (volumes.empty() ? "" : " ") + member.volume;
        rows.push_back({set.id, set.state, or_dash(set.consistency), or_dash(set.created), volumes});
    }
    return render_table({{"SET"}, {"STATE"}, {"CONSISTENCY"}, {"MADE"}, {"VOLUMES", false, 7}}, rows);
}

} // namespace quiesced
