// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/kernel.h"
#include "freeze/record.h"

namespace quiesced {

/// What was mended after the loss of a freezer, by name.
struct RescueReport {
    std::vector<std::string> thawed;
    std::vector<std::string> resumed;
    std::vector<std::string> unprimed;
    std::vector<std::string> failed; ///< sentences: what is still not as it should be
    [[nodiscard]] bool nothing_done() const {
        return thawed.empty() && resumed.empty() && unprimed.empty() && failed.empty();
    }
};

/// Thaws, resumes, unprimes and puts RCU back in place of a freezer that is gone, by its record. `fds` are the members' in
/// order (an empty one is skipped and named). `dm` and `rcu` must have been prepared. FITHAWs run side by side, since
/// one may wait for a FIFREEZE that the dead freezer left in the kernel; such a wait has no limit.
/// Safe to repeat: what was mended is marked in the record.
RescueReport rescue(const Record& record, const std::vector<UniqueFd>& fds, FreezeKernel& kernel, DmKernel& dm, RcuSwitch& rcu);

/// The first part of rescue(): resumes what may still be suspended. For who has to look up paths before the rest: a look-up
/// may read from a suspended device.
void resume_suspended(const Record& record, DmKernel& dm, RescueReport& report);

} // namespace quiesced
