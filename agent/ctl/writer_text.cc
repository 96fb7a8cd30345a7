// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/writer_text.h"

#include <array>
#include <cmath>
#include <ctime>
#include <vector>

#include "ctl/table.h"
#include "view/text.h"

namespace quiesced {
namespace {

/// As a set's manifest has its time.
std::string time_text(double micros) {
    const auto seconds = static_cast<std::time_t>(micros / 1e6);
    std::tm parts{};
    std::array<char, 32> text{};
    if (::gmtime_r(&seconds, &parts) == nullptr || std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) return {};
    return text.data();
}

/// "quiesced, application", and when.
Cell last_cell(const Json& writer) {
    const auto state = text_of(writer, "last_state");
    if (state.empty()) return {""};
    const auto consistency = text_of(writer, "last_consistency");
    Cell cell(std::vector<std::string>{state + (consistency.empty() ? "" : ", " + consistency), time_text(number_of(writer, "last_time").value_or(0))});
    cell.colour = state == "quiesced" ? Colour::green : state == "failed" ? Colour::red : Colour::yellow;
    return cell;
}

/// A script of hooks.d has no number: it comes before all that have one.
std::string order_text(const Json& writer) {
    const auto order = number_of(writer, "order");
    return order ? std::to_string(std::lround(*order)) : "";
}

} // namespace

std::string render_writers(const Json& writers, const Screen& screen) {
    std::vector<std::vector<Cell>> rows;
    std::string notes;
    for (const auto& writer : writers) {
        const auto name = text_of(writer, "name");
        const auto note = [&](const std::string& text) {
            if (!text.empty()) notes += wrap_text((name.empty() ? text_of(writer, "file") : name) + ": " + text, screen.width, 2);
        };
        const auto error = text_of(writer, "error");
        const auto ignored = text_of(writer, "ignored");
        const auto limit = number_of(writer, "limit_ms").value_or(0);
        note(error);
        note(ignored);
        note(text_of(writer, "last_error"));
        const bool runs = error.empty() && ignored.empty();
        auto volumes = texts_of(writer, "volumes");
        if (volumes.empty() && runs) volumes = {"every set's"};
        rows.push_back({name, !error.empty() ? Cell("refused", Colour::red) : !ignored.empty() ? Cell("ignored", Colour::yellow) : Cell(text_of(writer, "kind")),
                        Cell(volumes), order_text(writer), limit > 0 ? duration_text(limit) : "", runs ? text_of(writer, "on_failure") : "", text_of(writer, "file"), last_cell(writer)});
    }
    if (rows.empty()) return "No application is quiesced: nothing is in hooks.d and writers.d. See: man quiesced-writers\n";
    return render_table({{"NAME"}, {"KIND"}, {"VOLUMES"}, {"ORDER", true}, {"LIMIT", true}, {"ON FAILURE"}, {"FILE"}, {"LAST"}}, rows, screen) +
           (notes.empty() ? "" : "\n" + notes);
}

} // namespace quiesced
