// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/limit.h"
#include "base/result.h"

namespace quiesced {

/// What a finished child left behind.
struct ChildOutcome {
    int exit_status = 0;    ///< 0..255; 128 + signal number when a signal ended it
    std::string output;     ///< standard output, at most ChildOptions::output_limit bytes
    std::string errors;     ///< standard error, likewise
    bool timed_out = false; ///< the limit passed; its whole process group was killed
    bool interrupted = false; ///< it was called off; likewise
    bool stuck = false;     ///< one of both, and blocked in the kernel, so that even SIGKILL waits; it dies later
    bool truncated = false; ///< it wrote more than the limit; the rest was read and dropped
};

struct ChildOptions {
    std::string input;                      ///< written to standard input, which is then closed
    std::vector<std::string> environment;   ///< "NAME=value"; the child's whole environment. Empty: PATH and LC_ALL=C
    std::chrono::milliseconds limit{60000}; ///< from the start; then SIGKILL to the process group
    std::size_t output_limit = 1024 * 1024; ///< bytes, for each of the two streams
    const Interrupt* interrupt = nullptr;   ///< calls it off: SIGKILL to the process group, as after the limit
};

/// How long a killed child is waited for: one that writes to a frozen file system dies only after the thaw.
inline constexpr std::chrono::milliseconds kKillGrace{2000};

/// Runs a program (no shell; argv[0] is looked up in PATH) in its own process group with clean signal mask and only
/// descriptors 0 to 2, and waits for it. A grandchild that keeps a pipe open does not prolong the wait: when the
/// child is gone, what its group still holds is killed. A process that leaves the group (setsid) is not. Blocking, for
/// at most the limit and kKillGrace; callable from any thread. PATH is the one that the child gets.
/// Errors: invalid_argument (empty argv, a NUL byte in a string), kernel (cannot fork or pipe), io (program not found
/// or not to be run). An exit status other than 0 is no error.
Result<ChildOutcome> run_child(const std::vector<std::string>& argv, const ChildOptions& options = {});

/// For a child that was killed and is not gone yet, blocked in the kernel: it is reaped when a later child starts. Any thread.
void reap_later(pid_t child);

} // namespace quiesced
