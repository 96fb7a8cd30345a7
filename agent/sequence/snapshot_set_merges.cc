// SPDX-License-Identifier: LGPL-2.1-or-later
// How far volumes of a complete set are put back to its snapshots.
#include <algorithm>
#include <utility>

#include "sequence/snapshot_set.h"

namespace quiesced {
namespace {

const char* word_of(Merge::Progress progress) {
    switch (progress) {
    case Merge::Progress::pending: return kRevertPending;
    case Merge::Progress::running: return kRevertRunning;
    case Merge::Progress::done: return kRevertDone;
    case Merge::Progress::none: break;
    }
    return "";
}

/// Noted as begun, or about to be; it may be over meanwhile, or have never begun.
bool is_noted(const ManifestMember& member) { return member.revert == kRevertPending || member.revert == kRevertRunning; }

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

} // namespace

bool SnapshotSet::merge_pending() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::complete && !following_ && std::any_of(manifest_.members.begin(), manifest_.members.end(), is_noted);
}

bool SnapshotSet::revert_unfinished() const { return state() == State::complete && !members_under_way().empty(); }

void SnapshotSet::refresh_merges(Done done) {
    steps_.post([this, done = std::move(done)] {
        Result<void> result;
        {
            const std::lock_guard lock(step_mutex_);
            result = look_and_tell();
        }
        done(std::move(result));
    });
}

/// Those that somebody wants back and of which it is not known that they are; an admin may have merged an interrupted one by hand.
std::vector<std::size_t> SnapshotSet::members_under_way() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < manifest_.members.size(); ++i)
        if (is_noted(manifest_.members[i]) || manifest_.members[i].revert == kRevertInterrupted) members.push_back(i);
    return members;
}

std::vector<std::string> SnapshotSet::revert_words(const std::vector<std::size_t>& members) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> words;
    for (const auto index : members) words.push_back(manifest_.members[index].revert);
    return words;
}

void SnapshotSet::set_following(bool following) {
    const std::lock_guard lock(mutex_);
    following_ = following;
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

Result<SnapshotSet::Merges> SnapshotSet::ask_merges(const std::vector<std::size_t>& members) const {
    const auto made = shares_of(members);
    if (!made) return tl::unexpected<Error>(made.error());
    Merges all;
    for (const auto& share : *made) {
        const auto merges = share.provider->merges(id_, share.records);
        if (!merges) return tl::unexpected<Error>(merges.error());
        for (std::size_t i = 0; i < share.members.size() && i < merges->size(); ++i) all.emplace(share.members[i], (*merges)[i]);
    }
    return all;
}

/// LVM was cut off when it had merged a snapshot and not removed it. While a window is open that has to wait: the merge is not over then.
Result<void> SnapshotSet::remove_left_over(Merges& merges) const {
    for (auto& [index, merge] : merges) {
        if (!merge.left_over) continue;
        const auto pass_through = environment_.gate->try_change();
        if (!pass_through) {
            merge = {.progress = Merge::Progress::running, .percent = {}};
            continue;
        }
        const auto made = shares_of({index});
        if (!made) return tl::unexpected<Error>(made.error());
        for (const auto& share : *made)
            if (auto gone = share.provider->remove(id_, share.records); !gone) return gone;
    }
    return {};
}

/// One that is done counts as well: whatever else was noted since then was wanted with it, or after it.
bool SnapshotSet::any_begun(const Merges& merges) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(merges.begin(), merges.end(), [](const auto& entry) { return entry.second.progress != Merge::Progress::none; }) ||
           std::any_of(manifest_.members.begin(), manifest_.members.end(), [](const auto& member) { return member.revert == kRevertDone; });
}

/// Under step_mutex_. Runs no program where nothing is merged.
Result<SnapshotSet::Unmerged> SnapshotSet::look_at_merges() {
    Unmerged unmerged;
    const auto members = members_under_way();
    if (state() != State::complete || members.empty()) return unmerged;
    auto merges = ask_merges(members);
    if (!merges) return tl::unexpected<Error>(merges.error());
    if (auto removed = remove_left_over(*merges); !removed) return tl::unexpected<Error>(removed.error());
    const bool begun = any_begun(*merges);
    bool news = false;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [index, merge] : *merges) {
            auto& member = manifest_.members[index];
            if (merge.progress != Merge::Progress::none) {
                news = note_merge(manifest_, index, merge) || news;
            } else if (is_noted(member)) {
                member.revert = begun ? kRevertInterrupted : "";
                member.revert_percent.reset();
                (begun ? unmerged.interrupted : unmerged.cleared) = true;
                news = true;
            }
        }
    }
    if (news)
        if (auto saved = save_members([](Manifest&) {}); !saved) return pass(saved);
    return unmerged;
}

/// The same for whoever knows of no reason.
Result<void> SnapshotSet::look_and_tell() {
    const auto looked = look_at_merges();
    if (!looked) return tl::unexpected<Error>(looked.error());
    if (looked->cleared) tell_cleared();
    if (looked->interrupted) tell_interrupted({});
    return {};
}

void SnapshotSet::tell_revert(RevertNews::Kind kind, std::string sentence) const {
    if (environment_.telling.revert) environment_.telling.revert(id_, {.kind = kind, .sentence = std::move(sentence)});
}

void SnapshotSet::tell_cleared() const {
    tell_revert(RevertNews::Kind::not_begun, "a revert of it was cut off before it had begun: nothing is changed. If it is still wanted: quiescectl revert " + id_.text());
}

void SnapshotSet::tell_interrupted(const std::string& why) const {
    const auto manifest = describe();
    tell_revert(RevertNews::Kind::interrupted, "a revert of it was interrupted: " + revert_so_far(manifest) + (why.empty() ? "" : ", since " + why) + ". " + revert_advice(manifest));
}

} // namespace quiesced
