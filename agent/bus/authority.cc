// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/authority.h"

#include <unistd.h>

namespace quiesced {

Result<void> Authority::may_change(const sdbus::IObject& object) {
    const auto caller = bus_caller(object);
    if (known_.contains(caller)) return {};
    const auto user = bus_caller_uid(object);
    if (!user) return fail(ErrorKind::access_denied, "the caller " + caller + " left the bus before it was known who that is");
    if (*user != 0 && *user != ::geteuid())
        return fail(ErrorKind::access_denied, "user " + std::to_string(*user) + " may not change snapshot sets",
                    "Call as root.");
    if (known_.size() >= kMostKnown) known_.clear();
    known_.insert(caller);
    return {};
}

} // namespace quiesced
