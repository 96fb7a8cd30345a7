// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/line_channel.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// A child process that is spoken to over its standard input and output, which are one socket, for as long as this object
/// lives. It runs in a process group of its own; its standard error is ours. One thread at a time.
class HeldChild {
public:
    /// `argv[0]` is a full path; `environment` is all that it gets. Errors: invalid_argument, kernel, io (no such program).
    static Result<HeldChild> start(const std::vector<std::string>& argv, const std::vector<std::string>& environment);
    /// As end() with a limit of a second.
    ~HeldChild();
    HeldChild(HeldChild&& other) noexcept;
    HeldChild& operator=(HeldChild&& other) = delete;
    HeldChild(const HeldChild&) = delete;
    HeldChild& operator=(const HeldChild&) = delete;

    [[nodiscard]] LineChannel& channel() { return channel_; }

    /// Closes its standard input, waits for its end until the deadline, then kills its process group and waits for
    /// another kKillGrace. Returns its exit status (128 + signal number when a signal ended it). What it left in its
    /// group is killed in any case. Errors: deadline (it had to be killed); wrong_state (ended before).
    Result<int> end(Monotonic::time_point deadline);

private:
    HeldChild(pid_t child, UniqueFd pidfd, UniqueFd socket);
    [[nodiscard]] bool is_gone_by(Monotonic::time_point deadline) const;

    pid_t child_ = -1; ///< -1: reaped
    UniqueFd pidfd_;
    LineChannel channel_;
};

} // namespace quiesced
