// SPDX-License-Identifier: LGPL-2.1-or-later
// Volumes of a complete set are put back to its snapshots.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/scope_exit.h"
#include "sequence/side_by_side.h"
#include "sequence/snapshot_set.h"
#include "snapshot/host_provider.h"

namespace quiesced {
namespace {

/// For windows of other sets, before it is given up.
constexpr std::chrono::milliseconds kWindowPatience{30000};
/// Between two looks at a merge, which has no event for its end.
constexpr std::chrono::milliseconds kLook{500};

/// Of all that is waited for, 0 to 1; what is pending is not. LVM tells no common measure: each volume counts as much as another.
double fraction_done(const Manifest& manifest, const std::vector<std::size_t>& members) {
    double sum = 0;
    std::size_t count = 0;
    for (const auto index : members) {
        const auto& member = manifest.members[index];
        if (member.revert != kRevertRunning && member.revert != kRevertDone) continue;
        sum += member.revert == kRevertDone ? 100 : member.revert_percent.value_or(0);
        ++count;
    }
    return count == 0 ? 0 : sum / 100 / static_cast<double>(count);
}

tl::unexpected<Error> given_up() { return fail(ErrorKind::wrong_state, "it was cancelled before it began; nothing is changed"); }

} // namespace

void SnapshotSet::revert(std::vector<std::string> members, Done done, std::shared_ptr<RevertWatch> watch) {
    steps_.post([this, members = std::move(members), done = std::move(done), watch = std::move(watch)] {
        Result<void> result;
        {
            const std::lock_guard lock(step_mutex_);
            result = revert_now(members, *watch);
        }
        done(std::move(result));
    });
}

/// What is not done or under way already. A set is consistent as a whole: all of it, unless the caller says otherwise, or all that
/// was left of a revert that was interrupted.
Result<std::vector<std::size_t>> SnapshotSet::choose_to_revert(const std::vector<std::string>& members) const {
    const auto manifest = describe();
    const auto named = [&](const std::string& name) { return std::find(members.begin(), members.end(), name) != members.end(); };
    for (const auto& name : members)
        if (std::none_of(manifest.members.begin(), manifest.members.end(), [&](const auto& member) { return member.volume == name; }))
            return fail(ErrorKind::no_such_volume, "'" + name + "' is no member of the set " + id_.text(), "See: quiescectl show " + id_.text());
    const bool goes_on = members.empty() && std::any_of(manifest.members.begin(), manifest.members.end(), [](const auto& member) { return member.revert == kRevertInterrupted; });
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < manifest.members.size(); ++i) {
        const auto& member = manifest.members[i];
        const bool interrupted = member.revert == kRevertInterrupted;
        if ((!members.empty() && !named(member.volume)) || (goes_on && !interrupted) || (!member.revert.empty() && !interrupted)) continue;
        if (member.provider == kHostProviderName)
            return fail(ErrorKind::unsupported, "the snapshot of " + member.volume + " was taken by the host", "Put it back there, or name the other volumes.");
        if (member.consistency == kLost)
            return fail(ErrorKind::no_space, member.volume + " cannot be put back: " + member.error, "Name the other volumes, if they are of use without it.");
        for (const auto& other : manifest.members)
            if (!member.snapshot.empty() && other.snapshot == member.snapshot && other.provider == member.provider && !members.empty() && !named(other.volume))
                return fail(ErrorKind::invalid_argument, other.volume + " lies on the same device as " + member.volume + " and would be put back with it", "Name both.");
        chosen.push_back(i);
    }
    return chosen;
}

Result<void> SnapshotSet::begin_merges(const std::vector<Share>& made, RevertWatch& watch) {
    for (const auto& share : made)
        if (auto good = share.provider->check_revert(id_, share.records); !good) return good;
    const auto pass_through = environment_.gate->begin_change(kWindowPatience, watch.token());
    if (watch.cancelled()) return given_up();
    if (!pass_through) return tl::unexpected<Error>(pass_through.error());
    if (!watch.begin()) return given_up();
    // On disk before it begins: a daemon that is lost meanwhile leaves it for the next one to look at.
    auto noted = save_members([&](Manifest& manifest) {
        for (const auto& share : made)
            for (const auto index : share.members) manifest.members[index].revert = kRevertPending;
    });
    if (!noted) return noted;
    return side_by_side(made.size(), [&](std::size_t i) { return made[i].provider->revert(id_, made[i].records); });
}

/// Until nothing is running any more; what is pending is not waited for.
Result<void> SnapshotSet::follow_merges(const std::vector<std::size_t>& members, const RevertWatch& watch) {
    std::mutex waiting;
    std::condition_variable_any changed;
    for (const auto stop = ending_.get_token(); !stop.stop_requested();) {
        if (auto looked = look_and_tell(); !looked) return looked;
        const auto manifest = describe();
        watch.tell(fraction_done(manifest, members));
        if (std::none_of(manifest.members.begin(), manifest.members.end(), [](const auto& member) { return member.revert == kRevertRunning; })) return {};
        std::unique_lock lock(waiting);
        changed.wait_for(lock, stop, kLook, [] { return false; });
    }
    return fail(ErrorKind::lost, "quiesced is stopping; volumes of the set " + id_.text() + " are put back without it", "See later: quiescectl show " + id_.text());
}

Result<void> SnapshotSet::revert_now(const std::vector<std::string>& members, RevertWatch& watch) {
    if (auto good = expect(State::complete, "Revert"); !good) return good;
    if (auto looked = look_and_tell(); !looked) return looked;
    const auto chosen = choose_to_revert(members);
    if (!chosen) return tl::unexpected<Error>(chosen.error());
    const auto made = shares_of(*chosen);
    if (!made) return tl::unexpected<Error>(made.error());
    // From before anything is pending: nobody who asks meanwhile has to wait for another look, which would come after all of this.
    set_following(true);
    const ScopeExit followed([this] { set_following(false); });
    const auto before = revert_words(*chosen);
    if (auto begun = begin_merges(*made, watch); !begun) return settle_failed(*chosen, before, std::move(begun).error());
    if (auto over = follow_merges(*chosen, watch); !over) return over;
    const auto manifest = describe();
    for (const auto index : *chosen)
        if (const auto& member = manifest.members[index]; member.revert.empty() || member.revert == kRevertInterrupted)
            return fail(ErrorKind::lvm_failed, "the revert of " + member.volume + " has not begun, although it was said to");
    return {};
}

/// Of what has not begun when not all did. Where nothing has, all is as it was.
Result<void> SnapshotSet::settle_failed(const std::vector<std::size_t>& members, const std::vector<std::string>& words, Error error) {
    const auto now = revert_words(members);
    if (std::all_of(now.begin(), now.end(), [](const auto& word) { return word.empty(); })) return tl::unexpected<Error>(std::move(error));
    const auto unknown = [&error](const Error& why) {
        error.undone.push_back(why.message());
        return tl::unexpected<Error>(std::move(error));
    };
    const auto merges = ask_merges(members);
    if (!merges) return unknown(merges.error());
    if (std::all_of(merges->begin(), merges->end(), [](const auto& entry) { return entry.second.progress == Merge::Progress::none; })) {
        auto saved = save_members([&](Manifest& manifest) {
            for (std::size_t i = 0; i < members.size(); ++i) manifest.members[members[i]].revert = words[i];
        });
        if (!saved) return unknown(saved.error());
        return tl::unexpected<Error>(std::move(error));
    }
    const auto looked = look_at_merges();
    if (!looked) return unknown(looked.error());
    const auto manifest = describe();
    const auto left = revert_words(members);
    if (std::find(left.begin(), left.end(), kRevertInterrupted) == left.end()) return tl::unexpected<Error>(std::move(error));
    tell_interrupted(error.context);
    error.context += "; but it has begun with others: " + revert_so_far(manifest);
    error.advice = revert_advice(manifest);
    return tl::unexpected<Error>(std::move(error));
}

} // namespace quiesced
