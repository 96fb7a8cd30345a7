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

const char* word_of(Merge::Progress progress) {
    switch (progress) {
    case Merge::Progress::pending: return kRevertPending;
    case Merge::Progress::running: return kRevertRunning;
    case Merge::Progress::done: return kRevertDone;
    case Merge::Progress::none: break;
    }
    return "";
}

/// Whether that is news.
bool note_merge(Manifest& manifest, std::size_t index, const Merge& merge) {
    auto& member = manifest.members[index];
    const bool news = std::exchange(member.revert, word_of(merge.progress)) != member.revert;
    member.revert_percent = merge.progress == Merge::Progress::running ? merge.percent : std::nullopt;
    if (merge.progress != Merge::Progress::done) return news;
    member.snapshot.clear();
    member.device.clear();
    member.reference.clear();
    member.consistency = kReverted;
    manifest.consistency = kReverted;
    return news;
}

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

bool SnapshotSet::merge_pending() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::complete && !following_ && std::any_of(manifest_.members.begin(), manifest_.members.end(), [](const auto& member) {
        return member.revert == kRevertPending || member.revert == kRevertRunning;
    });
}

void SnapshotSet::refresh_merges(Done done) {
    steps_.post([this, done = std::move(done)] {
        Result<void> result;
        {
            const std::lock_guard lock(step_mutex_);
            result = look_at_merges();
        }
        done(std::move(result));
    });
}

std::vector<std::size_t> SnapshotSet::merging_members() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::size_t> merging;
    for (std::size_t i = 0; i < manifest_.members.size(); ++i)
        if (const auto& word = manifest_.members[i].revert; word == kRevertPending || word == kRevertRunning) merging.push_back(i);
    return merging;
}

/// On disk as well.
Result<void> SnapshotSet::save_members(const std::function<void(Manifest&)>& change) {
    Manifest kept;
    {
        const std::lock_guard lock(mutex_);
        change(manifest_);
        kept = manifest_;
    }
    for (auto& member : kept.members) member.revert_percent.reset();
    return environment_.store->save(kept);
}

/// Under step_mutex_. Runs no program where nothing is merged.
Result<void> SnapshotSet::look_at_merges() {
    const auto merging = merging_members();
    if (state() != State::complete || merging.empty()) return {};
    const auto made = shares_of(merging);
    if (!made) return tl::unexpected<Error>(made.error());
    for (const auto& share : *made) {
        const auto merges = share.provider->merges(id_, share.records);
        if (!merges) return tl::unexpected<Error>(merges.error());
        bool news = false;
        {
            const std::lock_guard lock(mutex_);
            for (std::size_t i = 0; i < share.members.size() && i < merges->size(); ++i) news = note_merge(manifest_, share.members[i], (*merges)[i]) || news;
        }
        if (!news) continue;
        if (auto saved = save_members([](Manifest&) {}); !saved) return saved;
    }
    return {};
}

/// What is not done or under way already. A set is consistent as a whole: all of it, unless the caller says otherwise.
Result<std::vector<std::size_t>> SnapshotSet::choose_to_revert(const std::vector<std::string>& members) const {
    const auto manifest = describe();
    const auto named = [&](const std::string& name) { return std::find(members.begin(), members.end(), name) != members.end(); };
    for (const auto& name : members)
        if (std::none_of(manifest.members.begin(), manifest.members.end(), [&](const auto& member) { return member.volume == name; }))
            return fail(ErrorKind::no_such_volume, "'" + name + "' is no member of the set " + id_.text(), "See: quiescectl show " + id_.text());
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < manifest.members.size(); ++i) {
        const auto& member = manifest.members[i];
        if ((!members.empty() && !named(member.volume)) || !member.revert.empty()) continue;
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
        if (auto looked = look_at_merges(); !looked) return looked;
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
    if (auto looked = look_at_merges(); !looked) return looked;
    const auto chosen = choose_to_revert(members);
    if (!chosen) return tl::unexpected<Error>(chosen.error());
    const auto made = shares_of(*chosen);
    if (!made) return tl::unexpected<Error>(made.error());
    // From before anything is pending: nobody who asks meanwhile has to wait for another look, which would come after all of this.
    {
        const std::lock_guard lock(mutex_);
        following_ = true;
    }
    const ScopeExit followed([this] {
        const std::lock_guard lock(mutex_);
        following_ = false;
    });
    if (auto begun = begin_merges(*made, watch); !begun) {
        // What has not begun after all is as it was.
        if (auto looked = look_at_merges(); !looked) begun.error().undone.push_back(looked.error().message());
        return begun;
    }
    return follow_merges(*chosen, watch);
}

} // namespace quiesced
