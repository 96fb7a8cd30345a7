// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

namespace quiesced {

/// A process for as long as the machine runs: ids are used again, an id with its start time is not.
struct ProcessIdentity {
    std::int32_t pid = 0;   ///< 0: none
    std::int64_t start = 0; ///< clock ticks since boot
};

/// The calling process. Reads /proc; start is 0 when that fails.
ProcessIdentity this_process();

/// False when it is gone, when its id belongs to another one, and when it was killed but a thread of it still waits in the
/// kernel (a FIFREEZE cannot be killed): then nothing of its program runs any more. A stopped one is alive.
bool process_alive(ProcessIdentity process);

/// Whether a thread of a process that was killed is still there: it can only be in the kernel.
bool thread_left(ProcessIdentity process, std::int32_t thread);

/// SIGKILL, if it is still that process; also to one that is stopped. Returns false when it was gone.
bool kill_process(ProcessIdentity process);

} // namespace quiesced
