// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/job_text.h"

#include <vector>

#include "ctl/table.h"
#include "view/text.h"

namespace quiesced {
namespace {

Colour colour_of(const std::string& state) {
    if (state == "done") return Colour::green;
    return state == "failed" ? Colour::red : Colour::yellow;
}

} // namespace

std::string render_jobs(const Json& jobs, std::chrono::system_clock::time_point now, const Screen& screen) {
    const auto now_ms = static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
    std::vector<std::vector<Cell>> rows;
    std::string notes;
    for (const auto& job : jobs) {
        const auto number = text_of(job, "Job");
        const auto path = text_of(job, "SnapshotSet");
        const auto state = text_of(job, "State");
        const auto members = texts_of(job, "Members");
        if (const auto error = text_of(job, "Error"); !error.empty()) notes += wrap_text(number + ": " + error, screen.width, 2);
        rows.push_back({number, text_of(job, "Kind"), path.substr(path.rfind('/') + 1), members.empty() ? Cell("all of it") : Cell(members), Cell(state, colour_of(state)),
                        std::to_string(static_cast<int>(number_of(job, "Progress").value_or(0) * 100)) + " %",
                        duration_text(now_ms - number_of(job, "Started").value_or(0) / 1e3) + " ago"});
    }
    if (rows.empty()) return "Nothing goes on for long.\n";
    return render_table({{"JOB"}, {"KIND"}, {"SET"}, {"VOLUMES"}, {"STATE"}, {"PROGRESS", true}, {"BEGUN", true}}, rows, screen) + (notes.empty() ? "" : "\n" + notes);
}

} // namespace quiesced
