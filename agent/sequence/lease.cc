// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/lease.h"

#include "sequence/snapshot_set.h"

namespace quiesced {

Lease SnapshotSet::lease() const {
    Lease lease{.owner = options_.owner, .state = State::created, .since = since_, .until = std::nullopt};
    std::optional<Monotonic::time_point> until;
    {
        const std::lock_guard lock(mutex_);
        lease.state = state_;
        if (state_ == State::prepared) until = prepared_until_;
        if (freezer_ && is_window(state_))
            // 0 until the first FIFREEZE begins.
            if (const auto deadline = freezer_->record().header().deadline.load(); deadline != 0)
                until = Monotonic::time_point(std::chrono::nanoseconds(deadline));
    }
    if (until)
        lease.until = std::chrono::system_clock::now() +
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(*until - Monotonic::now());
    return lease;
}

} // namespace quiesced
