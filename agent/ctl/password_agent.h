// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include "base/unique_fd.h"

namespace quiesced {

/// polkit's agent for terminals, pkttyagent(1), while this lives: it asks for the password that polkit wants. As systemctl(1) has it.
class PasswordAgent {
public:
    /// Returns when it listens. Without polkit's agent nothing happens: the daemon says then that a password would be needed.
    PasswordAgent();
    ~PasswordAgent();
    PasswordAgent(const PasswordAgent&) = delete;
    PasswordAgent& operator=(const PasswordAgent&) = delete;

    /// Standard input and error are a terminal, and this is not root, who is never asked.
    static bool wanted();

private:
    pid_t child_ = -1;
};

} // namespace quiesced
