// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/revert_text.h"

#include <algorithm>
#include <cmath>

#include "view/text.h"

namespace quiesced {
namespace {

/// As the daemon chooses: what was interrupted goes on with no other volumes, unless they are named.
bool is_meant(const ManifestView& set, const MemberView& member, const std::vector<std::string>& volumes) {
    const bool interrupted = member.revert == "interrupted";
    if (!member.revert.empty() && !interrupted) return false;
    if (volumes.empty()) return interrupted || !revert_interrupted(set);
    return std::find(volumes.begin(), volumes.end(), member.volume) != volumes.end();
}

} // namespace

std::string render_revert_warning(const ManifestView& set, const std::vector<std::string>& volumes, const Screen& screen) {
    std::string text = "Set " + printable(set.id) + (set.created.empty() ? "" : ", made " + printable(set.created)) + ". These volumes are put back to it:\n";
    std::string left;
    for (const auto& member : set.members) {
        if (!is_meant(set, member, volumes)) {
            if (member.revert.empty() || member.revert == "interrupted") left += (left.empty() ? "" : ", ") + printable(member.volume);
            continue;
        }
        text += "  " + printable(member.volume) + (member.snapshot.empty() ? "" : " from " + printable(member.snapshot)) +
                (member.consistency.empty() ? "" : " (" + printable(member.consistency) + ")") + "\n";
    }
    text += screen.paint(Colour::red, "Everything written to them since then is lost") + ", and their snapshots are gone afterwards.\n";
    if (!left.empty()) text += "Not put back, and so of another time: " + left + ".\n";
    return text + "One that is in use begins when it is activated the next time, with the machine's start at the latest.\n";
}

std::string render_reverted(const ManifestView& set) {
    std::string text;
    for (const auto& member : set.members) {
        const auto volume = printable(member.volume);
        if (member.revert == "done") text += volume + " is put back.\n";
        if (member.revert == "running") text += volume + " is being put back.\n";
        if (member.revert == "pending")
            text += volume + " is in use: it is put back when it is activated the next time. Unmount it, and deactivate and activate its logical volume, or boot anew.\n";
        if (member.revert == "interrupted") text += volume + " is not put back. Unmount it, then: quiescectl revert " + printable(set.id) + "\n";
    }
    return text;
}

std::string revert_progress(const ManifestView& set, double fraction) {
    std::string text;
    for (const auto& member : set.members) {
        if (member.revert != "running") continue;
        text += (text.empty() ? "" : ", ") + printable(member.volume);
        if (member.revert_percent) text += " " + std::to_string(std::lround(*member.revert_percent)) + " %";
    }
    if (text.empty()) return text;
    return std::to_string(static_cast<int>(fraction * 100)) + " %: " + text;
}

} // namespace quiesced
