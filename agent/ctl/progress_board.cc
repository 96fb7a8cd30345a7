// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/progress_board.h"

#include <algorithm>

#include "view/text.h"

namespace quiesced {
namespace {

std::string done_text(const std::string& step) {
    if (step == "arm") return "reserved";
    if (step == "flush") return "written back";
    if (step == "cut") return "cut";
    if (step == "confirm") return "there";
    return step; // of a newer daemon
}

} // namespace

ProgressBoard::Member& ProgressBoard::member(const std::string& name) {
    const auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& each) { return each.name == name; });
    return found != members_.end() ? *found : members_.emplace_back(Member{.name = name, .steps = 0, .step = {}});
}

bool ProgressBoard::note(const SetNews& news) {
    if (news.set != set_) return false;
    if (news.what == "state") {
        state_ = news.state;
    } else if (news.what == "progress") {
        auto& told = member(news.volume);
        ++told.steps;
        told.step = news.step;
    } else if (news.what == "warning") {
        warnings_.push_back(news.volume + (news.volume.empty() ? "" : ": ") + news.message);
    } else {
        return false;
    }
    return true;
}

std::string ProgressBoard::render(std::size_t width, std::size_t rows) const {
    std::vector<std::string> lines{"Set " + set_ + ": " + state_};
    std::size_t most = 0;
    for (const auto& each : members_) most = std::max(most, each.steps);
    std::size_t longest = 0;
    for (const auto& each : members_) longest = std::max(longest, text_width(printable(each.name)));
    const auto column = std::min(longest, width / 2);
    const std::size_t fixed = 1 + warnings_.size();
    const auto room = rows > fixed ? rows - fixed : 0;
    const bool all = members_.size() <= room;
    std::size_t shown = 0;
    for (const auto& each : members_) {
        if (!all && (shown + 1 >= room || each.steps == most)) continue;
        lines.push_back("  " + pad_text(fit_text(each.name, column), column) + "  " + done_text(each.step));
        ++shown;
    }
    if (!all && room > 0) lines.push_back("  and " + std::to_string(members_.size() - shown) + " more");
    for (const auto& warning : warnings_) lines.push_back("  " + warning);
    if (lines.size() > rows) lines.resize(rows);
    std::string text;
    for (const auto& line : lines) text += fit_text(line, width) + "\n";
    return text;
}

} // namespace quiesced
