// SPDX-License-Identifier: LGPL-2.1-or-later
// Putting volumes back is a matter between sets: no other one may be at work on them.
#include <algorithm>
#include <utility>

#include "sequence/set_manager.h"

namespace quiesced {

Result<void> SetManager::check_unused(const SnapshotSet& set, const std::vector<std::string>& members) const {
    const auto manifest = set.describe();
    for (const auto& other : sets()) {
        if (is_final(other->state())) continue;
        for (const auto& theirs : other->describe().members)
            for (const auto& ours : manifest.members) {
                const bool chosen = members.empty() || std::find(members.begin(), members.end(), ours.volume) != members.end();
                if (chosen && (ours.volume == theirs.volume || (!ours.origin.empty() && ours.origin == theirs.origin)))
                    return fail(ErrorKind::busy, ours.volume + " is in the unfinished set " + other->id().text(), "Wait for that set, or abort it.");
            }
    }
    return {};
}

void SetManager::revert(const std::shared_ptr<SnapshotSet>& set, const std::vector<std::string>& members, SnapshotSet::Done done, std::shared_ptr<RevertWatch> watch) {
    if (auto unused = check_unused(*set, members); !unused) return done(std::move(unused));
    // The set ends its threads before it ends.
    set->revert(members, [this, raw = set.get(), done = std::move(done)](Result<void> result) {
        const auto manifest = raw->describe();
        if (std::any_of(manifest.members.begin(), manifest.members.end(), [](const auto& member) { return !member.revert.empty(); }))
            events_.set_reverted(raw->id(), manifest);
        if (watch_) watch_->look();
        done(std::move(result));
    }, std::move(watch));
}

/// A merge that waited for the origin's activation may have begun with the machine's start, or a revert was cut off by a power cut.
void SetManager::resume_revert(SnapshotSet& set) {
    if (!set.revert_unfinished()) return;
    set.resume_revert([this, &set](bool changed) {
        if (!changed) return;
        events_.set_reverted(set.id(), set.describe());
        if (watch_) watch_->look();
    });
}

} // namespace quiesced
