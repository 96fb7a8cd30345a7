// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <vector>

#include "bus/dict.h"
#include "sequence/set_manager.h"

namespace quiesced {

inline constexpr std::size_t kMostMatchDisks = 1024;
inline constexpr std::size_t kMostMatchKeys = 64;    ///< of one disk
inline constexpr std::size_t kLongestMatchText = 4096; ///< bytes

/// What MatchDisks was given. Errors: invalid_argument with the disk's index and the key.
Result<std::vector<DiskClaim>> read_disk_claims(const std::vector<Dict>& disks);

/// Errors: invalid_argument.
Result<MatchOptions> read_match_options(const Dict& options);

/// What MatchDisks returns; dbus/org.quiesced1.Manager.xml has its keys.
std::vector<Dict> matches_to_dicts(const MatchReport& report);

} // namespace quiesced
