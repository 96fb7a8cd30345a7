// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace quiesced {

/// How full the place is in which the snapshot of a member lives.
struct Fill {
    std::string volume;  ///< Volume::name of the member
    std::string kind;    ///< "store" (copy-on-write, of this snapshot alone), "pool-data", "pool-metadata"
    std::string name;    ///< "vg/lv-q1a2b3c4" for a store, "vg/pool"
    double percent = 0;  ///< 0 to 100
    std::string lost;    ///< why the snapshot is worth nothing any more, a sentence without its full stop; empty while it is good
};

} // namespace quiesced
