// SPDX-License-Identifier: LGPL-2.1-or-later
// What can be done with a set that is complete: its snapshots mapped, or removed.
#include <algorithm>
#include <utility>

#include "sequence/side_by_side.h"
#include "sequence/snapshot_set.h"

namespace quiesced {

/// Of members that have a snapshot: those that are put back to it have none any more, or LVM no longer lets anybody have it. One
/// whose revert was interrupted has it still.
Result<std::vector<SnapshotSet::Share>> SnapshotSet::shares() const {
    std::vector<std::size_t> members;
    const auto manifest = describe();
    for (std::size_t i = 0; i < manifest.members.size(); ++i)
        if (const auto& word = manifest.members[i].revert; word.empty() || word == kRevertInterrupted) members.push_back(i);
    return shares_of(members);
}

Result<std::vector<SnapshotSet::Share>> SnapshotSet::shares_of(const std::vector<std::size_t>& members) const {
    const auto manifest = describe();
    auto known = providers_;
    for (const auto& part : parts_) known.push_back(part.provider);
    std::vector<Share> shares;
    for (const auto i : members) {
        const auto& member = manifest.members[i];
        const auto provider = std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry->name() == member.provider; });
        if (provider == known.end())
            return fail(ErrorKind::plugin_missing, "the provider '" + member.provider + "' of " + member.volume + " is not there",
                        "Start its plugin, then try again: systemctl start quiesced-plugin-" + member.provider + ".socket");
        auto share = std::find_if(shares.begin(), shares.end(), [&](const Share& entry) { return entry.provider->name() == member.provider; });
        if (share == shares.end()) share = shares.insert(shares.end(), Share{.provider = *provider, .members = {}, .records = {}});
        share->members.push_back(i);
        share->records.push_back({.volume = member.volume, .provider = member.provider, .snapshot = member.snapshot,
                                  .device = member.device, .reference = member.reference});
    }
    return shares;
}

Result<void> SnapshotSet::map() {
    if (auto good = expect(State::complete, "Map"); !good) return good;
    auto mapped = shares();
    if (!mapped) return pass(mapped);
    auto done = side_by_side(mapped->size(), [&](std::size_t i) -> Result<void> {
        auto& share = (*mapped)[i];
        auto records = share.provider->map(id_, share.records);
        if (!records) return pass(records);
        share.records = std::move(*records);
        return {};
    });
    if (!done) return done;
    Manifest kept;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& share : *mapped)
            for (std::size_t i = 0; i < share.members.size() && i < share.records.size(); ++i) {
                auto& member = manifest_.members[share.members[i]];
                member.snapshot = share.records[i].snapshot;
                member.device = share.records[i].device;
                member.reference = share.records[i].reference;
            }
        kept = manifest_;
    }
    return environment_.store->save(kept);
}

std::vector<Fill> SnapshotSet::fills() const {
    if (state() != State::complete) return {};
    const auto made = shares();
    if (!made) return {}; // a plugin is away, and has none to tell
    std::vector<Fill> all;
    for (const auto& share : *made)
        for (auto& fill : share.provider->fills(share.records)) all.push_back(std::move(fill));
    return all;
}

bool SnapshotSet::being_removed() const {
    const std::unique_lock step(step_mutex_, std::try_to_lock);
    return !step || !environment_.store->load(id_);
}

Result<bool> SnapshotSet::mark_lost(const Fill& fill) {
    // Not beside a Delete, whose manifest would come back.
    const std::lock_guard step(step_mutex_);
    if (!environment_.store->load(id_)) return false;
    Manifest kept;
    {
        const std::lock_guard lock(mutex_);
        const auto member = std::find_if(manifest_.members.begin(), manifest_.members.end(), [&](const ManifestMember& entry) { return entry.volume == fill.volume; });
        if (state_ != State::complete || member == manifest_.members.end() || member->consistency == kLost) return false;
        member->consistency = kLost;
        member->error = "the snapshot is lost: " + fill.lost;
        manifest_.consistency = kLost;
        kept = manifest_;
    }
    if (auto saved = environment_.store->save(kept); !saved) return pass(saved);
    return true;
}

Result<Extension> SnapshotSet::extend(const Fill& fill, unsigned percent) {
    const std::unique_lock step(step_mutex_, std::try_to_lock);
    if (!step) return fail(ErrorKind::busy, "a step of the set " + id_.text() + " is running");
    if (auto good = expect(State::complete, "extending"); !good) return pass(good);
    const auto made = shares();
    if (!made) return tl::unexpected<Error>(made.error());
    for (const auto& share : *made)
        for (const auto& record : share.records)
            if (record.volume == fill.volume) return share.provider->extend(record, fill, percent);
    return fail(ErrorKind::no_such_volume, "the set " + id_.text() + " has no snapshot of " + fill.volume + " any more");
}

Result<void> SnapshotSet::remove() {
    if (!is_final(state())) return expect(State::complete, "Delete");
    if (state() == State::failed) return {};
    if (auto looked = look_and_tell(); !looked) return looked;
    if (merge_pending())
        return fail(ErrorKind::busy, "volumes of the set " + id_.text() + " are being put back to its snapshots, or will be when they are activated the next time",
                    "Delete it when that is done: quiescectl show " + id_.text());
    const auto made = shares();
    if (!made) return tl::unexpected<Error>(made.error());
    auto gone = side_by_side(made->size(), [&](std::size_t i) { return (*made)[i].provider->remove(id_, (*made)[i].records); });
    if (!gone) return gone;
    return environment_.store->remove(id_);
}

} // namespace quiesced
