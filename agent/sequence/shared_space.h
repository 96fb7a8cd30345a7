// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "snapshot/provider.h"

namespace quiesced {

struct SharedShortage {
    std::string kind, name; ///< of the place, as in SpaceNeed
    Error error;            ///< no_space
};

/// Several providers put their stores into one volume group, where each checks the sum of its own alone: the first place that has
/// room for each of them and not for all at once.
std::optional<SharedShortage> shared_shortage(const std::vector<SpaceNeed>& needs);

} // namespace quiesced
