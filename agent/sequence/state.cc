// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/state.h"

namespace quiesced {

std::string_view state_name(State state) {
    switch (state) {
    case State::created: return "new";
    case State::preparing: return "preparing";
    case State::prepared: return "prepared";
    case State::freezing: return "freezing";
    case State::frozen: return "frozen";
    case State::snapshotting: return "snapshotting";
    case State::snapshotted: return "snapshotted";
    case State::thawing: return "thawing";
    case State::thawed: return "thawed";
    case State::complete: return "complete";
    case State::aborting: return "aborting";
    case State::failed: return "failed";
    }
    return "failed";
}

} // namespace quiesced
