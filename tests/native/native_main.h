// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "leak_check.h"

namespace quiesced {

/// The rest of a native test program's main: a mount namespace of its own, all tests, the leak check after each of them, and
/// `folder` removed at the end. The RCU switch has to stay as it is now. Returns the exit status.
int run_native_tests(int argc, char** argv, LeakCheck check, const std::string& folder);

} // namespace quiesced
