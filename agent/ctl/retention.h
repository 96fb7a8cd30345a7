// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "view/manifest_view.h"

namespace quiesced {

/// Which sets may stay. What is not given removes nothing.
struct Retention {
    std::optional<std::size_t> keep;            ///< so many of the newest sets of the same volumes; at least 1
    std::optional<std::chrono::seconds> max_age; ///< since they were made
};

struct ExpiredSet {
    std::string id;
    std::string reason; ///< "made 2025-01-02T03:04:05Z", "3 newer ones of the same volumes"
};

/// The complete sets that either rule removes, oldest first. Sets are of the same volumes when their members have the same names,
/// in whatever order. A set whose time of making cannot be read is never removed by age;
/// one whose revert was interrupted neither counts nor goes, since only its snapshots end that.
std::vector<ExpiredSet> expired(const std::vector<ManifestView>& sets, const Retention& rules, std::time_t now);

/// "7d", "36h", "90min", "3600s"; nothing for what is none of these, and for 0.
std::optional<std::chrono::seconds> parse_age(const std::string& text);

} // namespace quiesced
