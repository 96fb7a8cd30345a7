// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// A loop device that goes by itself when nothing uses it any more.
struct LoopDevice {
    UniqueFd fd;
    std::string path;
};

/// Attaches a free one to an open file. Linux 5.8. Errors: kernel.
Result<LoopDevice> attach_loop(int file);

} // namespace quiesced
