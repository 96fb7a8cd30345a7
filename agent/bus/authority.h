// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "bus/sdbus_compat.h"

namespace quiesced {

/// Who may do what. Reading is left to the policy of the bus; everything else is for root, and on a bus of their own for the
/// user that runs the daemon. For the bus's thread.
class Authority {
public:
    /// Whether the caller of the message that `object` handles may change something. Asks the bus once for each caller:
    /// a unique name never comes back with another owner, and a Thaw must not wait for a round trip. Errors: access_denied.
    Result<void> may_change(const sdbus::IObject& object);

private:
    static constexpr std::size_t kMostKnown = 1024; ///< each call of busctl is a new name
    std::set<std::string> known_;
};

} // namespace quiesced
