// SPDX-License-Identifier: LGPL-2.1-or-later
// A revert that was cut off with an earlier daemon goes on, or is told.
#include <algorithm>
#include <numeric>
#include <stop_token>
#include <utility>

#include "base/join.h"
#include "base/scope_exit.h"
#include "sequence/snapshot_set.h"

namespace quiesced {

void SnapshotSet::resume_revert(std::function<void(bool changed)> done) {
    steps_.post([this, done = std::move(done)] {
        bool changed = false;
        {
            const std::lock_guard lock(step_mutex_);
            std::vector<std::size_t> all(describe().members.size());
            std::iota(all.begin(), all.end(), std::size_t{0});
            const auto before = revert_words(all);
            // What is left alone by a daemon that ends at once is found by the next one.
            if (!ending_.stop_requested()) resume_now();
            changed = revert_words(all) != before;
        }
        done(changed);
    });
}

/// Under step_mutex_. The words of those that can go on stay on disk until LVM has begun with them: however often it is cut off,
/// the next daemon finds what this one has found.
void SnapshotSet::resume_now() {
    const auto members = members_under_way();
    if (state() != State::complete || members.empty()) return;
    const auto merges = ask_merges(members);
    if (!merges)
        return tell_revert(RevertNews::Kind::interrupted, "how far a revert of it has come cannot be found out: " + merges.error().message() + ". Look again later: quiescectl show " + id_.text());
    set_following(true);
    const ScopeExit followed([this] { set_following(false); });
    std::vector<std::size_t> rest;
    std::vector<std::size_t> in_use;
    if (any_begun(*merges)) {
        const auto manifest = describe();
        for (const auto& [index, merge] : *merges)
            if (merge.progress == Merge::Progress::none && manifest.members[index].revert != kRevertInterrupted) (merge.in_use ? in_use : rest).push_back(index);
    }
    std::string why;
    if (!in_use.empty()) why = leave_alone(in_use);
    Result<void> begun;
    if (!rest.empty()) begun = begin_rest(rest);
    if (ending_.stop_requested()) return;
    const auto add = [&why](const Error& error) { why += (why.empty() ? "" : "; ") + error.message(); };
    if (!begun) add(begun.error());
    const auto looked = look_at_merges();
    if (!looked) add(looked.error());
    else if (looked->cleared) tell_cleared();
    const auto under_way = revert_words(members_under_way());
    if (std::find(under_way.begin(), under_way.end(), kRevertInterrupted) != under_way.end()) tell_interrupted(why);
    // What goes wrong from here on is found by whoever looks next.
    if (begun && !rest.empty()) static_cast<void>(follow_merges(rest, RevertWatch()));
}

/// Of what is in use; why that is, for whoever is told. At once: at the next start it may be in no use, and have been written to all the same.
std::string SnapshotSet::leave_alone(const std::vector<std::size_t>& members) {
    std::vector<std::string> names;
    const auto noted = save_members([&](Manifest& manifest) {
        for (const auto index : members) {
            manifest.members[index].revert = kRevertInterrupted;
            names.push_back(manifest.members[index].volume);
        }
    });
    return joined(names) + (names.size() == 1 ? " is" : " are") + " in use, and may have been written to meanwhile" + (noted ? "" : " (" + noted.error().message() + ")");
}

Result<void> SnapshotSet::begin_rest(const std::vector<std::size_t>& members) {
    const auto made = shares_of(members);
    if (!made) return tl::unexpected<Error>(made.error());
    std::vector<std::string> names;
    const auto manifest = describe();
    for (const auto index : members) names.push_back(manifest.members[index].volume);
    tell_revert(RevertNews::Kind::goes_on, "a revert of it was cut off when it had begun with other volumes: " + joined(names) + (names.size() == 1 ? " is" : " are") +
                                               " in no use, and put back to the set as well, so that all fit together");
    RevertWatch watch;
    const std::stop_callback ends(ending_.get_token(), [&watch] { watch.cancel(); }); // while it waits for a window
    return begin_merges(*made, watch);
}

} // namespace quiesced
