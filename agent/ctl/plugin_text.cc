// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/plugin_text.h"

#include <cstdio>
#include <vector>

#include "ctl/table.h"

namespace quiesced {
namespace {

Colour colour_of(const std::string& state) {
    if (state == "ready") return Colour::green;
    return state == "failed" ? Colour::red : Colour::yellow;
}

/// "commit 4.2 ms".
std::string call_text(const Json& call) {
    char time[32]; // NOLINT(cppcoreguidelines-avoid-c-arrays)
    std::snprintf(time, sizeof time, " %.1f ms", number_of(call, "took_us").value_or(0) / 1000);
    return text_of(call, "method") + time + (text_of(call, "error").empty() ? "" : " (failed)");
}

} // namespace

std::string render_plugins(const Json& plugins, const Screen& screen) {
    std::vector<std::vector<Cell>> rows;
    std::string notes;
    const auto note = [&](const Json& plugin, const std::string& text) {
        if (!text.empty()) notes += wrap_text(text_of(plugin, "Name") + ": " + text, screen.width, 2);
    };
    for (const auto& plugin : plugins) {
        std::vector<std::string> luns;
        for_each_object(plugin, "Luns", [&](const Json& lun) {
            const auto name = text_of(lun, "array_volume");
            luns.push_back(text_of(lun, "wwid") + (name.empty() ? "" : " " + name));
        });
        std::vector<std::string> calls;
        note(plugin, text_of(plugin, "Error"));
        for_each_object(plugin, "Calls", [&](const Json& call) {
            calls.push_back(call_text(call));
            // A failed describe is why the plugin itself failed: said already.
            if (const auto error = text_of(call, "error"); error != text_of(plugin, "Error")) note(plugin, error);
        });
        for_each_object(plugin, "Snapshots", [&](const Json& held) { note(plugin, "holds " + text_of(held, "snapshot") + " of set " + text_of(held, "set")); });
        const auto state = text_of(plugin, "State");
        rows.push_back({text_of(plugin, "Name"), Cell(state, colour_of(state)), text_of(plugin, "Version"), texts_of(plugin, "Capabilities"), luns, calls});
    }
    if (rows.empty()) return "No plugin is there. A LUN needs one: systemctl enable --now quiesced-plugin-NAME.socket\n";
    return render_table({{"NAME"}, {"STATE"}, {"VERSION"}, {"CAPABILITIES"}, {"LUNS"}, {"LAST CALLS"}}, rows, screen) +
           (notes.empty() ? "" : "\n" + notes);
}

} // namespace quiesced
