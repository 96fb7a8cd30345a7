// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "snapshot/manifest.h"

namespace quiesced {

/// What is found out about a revert that was cut off: by a power cut, by the end of the daemon, or by what failed in the midst of it.
struct RevertNews {
    enum class Kind {
        not_begun,   ///< nothing was changed, and it is over
        goes_on,     ///< what it had not begun with is put back as well
        interrupted, ///< some volumes are put back and others not: an admin has to act
    };
    Kind kind = Kind::not_begun;
    std::string sentence; ///< for a log, behind "set ID: "
};

/// "/a is put back, /b is being put back; /c is not"; of the members that a revert concerns.
std::string revert_so_far(const Manifest& manifest);

/// What to do about those that are not: "The volumes of the set do not fit together. Unmount /c, then go on with: ..."
std::string revert_advice(const Manifest& manifest);

} // namespace quiesced
