// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace quiesced {

/// Where a snapshot set is in its sequence.
enum class State {
    created, ///< "new"
    preparing,
    prepared,
    freezing,
    frozen,
    snapshotting,
    snapshotted,
    thawing,
    thawed,
    complete,
    aborting,
    failed,
};

/// "new", "preparing", ...: as on the bus and in the manifest.
std::string_view state_name(State state);

/// Something may be frozen in this state: file systems of the set must not be written to, logs must wait.
constexpr bool is_window(State state) {
    return state == State::freezing || state == State::frozen || state == State::snapshotting ||
           state == State::snapshotted || state == State::thawing;
}

/// Nothing more happens by itself.
constexpr bool is_final(State state) { return state == State::complete || state == State::failed; }

} // namespace quiesced
