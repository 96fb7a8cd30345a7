// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quiesced {

/// What a test must not leave behind, and what of it is not looked for.
struct LeakCheck {
    std::int32_t rcu_expedited = 0;             ///< what /sys/kernel/rcu_expedited has to be
    std::vector<std::string> allowed_sets;      ///< ids of sets whose snapshots may be there
    bool processes = true;                      ///< look for freezers that still run
    std::string freezer;                        ///< only those of this program; empty: all
    std::string records = "/run/quiesced";      ///< where windows have their records
    std::string loop_backing;                   ///< loop devices on files below this folder are ours; empty: none is
    std::chrono::milliseconds patience{3000};   ///< for each look: what ends within it was not left behind

    /// Sentences: what was left behind. Never hangs, whatever is frozen. A file system that is mounted read-only only cannot
    /// be seen to be frozen.
    [[nodiscard]] std::vector<std::string> find() const;
};

/// The switch now, -1 where there is none.
std::int32_t rcu_expedited_now();

} // namespace quiesced
