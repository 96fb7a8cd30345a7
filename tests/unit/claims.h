// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "snapshot/provider.h"

namespace quiesced {

/// Indexes of the volumes that a provider takes.
inline std::vector<std::size_t> taken(const std::vector<Claim>& claims) {
    std::vector<std::size_t> indexes;
    for (std::size_t i = 0; i < claims.size(); ++i)
        if (claims[i].taken) indexes.push_back(i);
    return indexes;
}

} // namespace quiesced
