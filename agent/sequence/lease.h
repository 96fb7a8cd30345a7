// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "sequence/state.h"

namespace quiesced {

/// Who asked for a set. A set from disk is root's.
struct SetOwner {
    uid_t user = 0;
    std::string connection; ///< unique name on the bus; empty for a set from disk
    bool bound = false;     ///< the set is aborted when that connection ends
};

/// By whom an unfinished set is held, since when and until when.
struct Lease {
    SetOwner owner;
    State state = State::created;
    std::chrono::system_clock::time_point since; ///< when it was made
    /// When it is thawed and given up by itself: the deadline while frozen, the limit from Prepare to Freeze while
    /// prepared. Not set: nothing runs.
    std::optional<std::chrono::system_clock::time_point> until;
};

} // namespace quiesced
