// SPDX-License-Identifier: LGPL-2.1-or-later
// Members whose snapshot the host takes while the set is frozen.
#include <algorithm>

#include "sequence/snapshot_set.h"
#include "snapshot/host_provider.h"

namespace quiesced {
namespace {

constexpr std::size_t kLongestReference = 1024; // bytes

} // namespace

/// Take would thaw before the host knows that anything is frozen.
Result<void> SnapshotSet::refuse_host_members() const {
    std::string names;
    for (const auto& member : describe().members)
        if (member.provider == kHostProviderName) names += (names.empty() ? "" : ", ") + member.volume;
    if (names.empty()) return {};
    return fail(ErrorKind::wrong_state, "Take is not possible: the host takes the snapshot of " + names,
                "Call Freeze, have the host take it, then ReportHostSnapshot, Snapshot and Thaw.");
}

Result<void> SnapshotSet::report_host_snapshot(const std::string& volume, const std::string& reference) {
    if (reference.empty() || reference.size() > kLongestReference)
        return fail(ErrorKind::invalid_argument, "the reference of the host's snapshot has " + std::to_string(reference.size()) + " bytes",
                    "It must have 1 to " + std::to_string(kLongestReference) + ".");
    const std::lock_guard lock(mutex_);
    const auto member = std::find_if(manifest_.members.begin(), manifest_.members.end(), [&](const ManifestMember& entry) {
        return entry.volume == volume && entry.provider == kHostProviderName;
    });
    if (member == manifest_.members.end())
        return fail(ErrorKind::no_such_volume, "no member '" + volume + "' of set " + id_.text() + " was left to the host",
                    "Name it as the property Volumes does; CreateSet's option providers leaves it to the host.");
    if (state_ != State::frozen && state_ != State::snapshotting && state_ != State::snapshotted)
        return fail(ErrorKind::wrong_state, "the host's snapshot of " + volume + " cannot be reported: set " + id_.text() + " is '" +
                                                std::string(state_name(state_)) + "'",
                    "It must be taken and reported between the answer to Freeze and the call of Thaw.");
    host_reports_.add(volume, reference, Monotonic::now());
    member->snapshot = reference;
    return {};
}

} // namespace quiesced
