// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/kernel.h"
#include "freeze/record.h"

namespace quiesced {

/// The three kernel interfaces, for use in place of a freezer that is lost.
struct WindowKernel {
    std::shared_ptr<FreezeKernel> freeze; ///< shared: a FITHAW may outlive whoever asked for it
    std::unique_ptr<DmKernel> dm;
    std::unique_ptr<RcuSwitch> rcu;
    static WindowKernel linux();
};

/// FITHAWs of a rescue that have not come back. Thread-safe.
class PendingThaws {
public:
    void add();
    void end();
    /// True when none is left within `limit`.
    bool wait(std::chrono::milliseconds limit);

private:
    std::mutex mutex_;
    std::condition_variable ended_;
    std::size_t count_ = 0;
};

/// What was mended after the loss of a freezer, by name.
struct RescueReport {
    std::vector<std::string> thawed;
    std::vector<std::string> resumed;
    std::vector<std::string> unprimed;
    std::vector<std::string> failed; ///< sentences: what is still not as it should be
    std::vector<std::string> stuck;  ///< members whose FITHAW has not come back yet; each is in `failed`, too
    std::shared_ptr<PendingThaws> pending; ///< of `stuck`; never null after rescue()
    [[nodiscard]] bool nothing_done() const {
        return thawed.empty() && resumed.empty() && unprimed.empty() && failed.empty();
    }
};

inline constexpr std::chrono::milliseconds kRescuePatience{2000};

/// Thaws, resumes, unprimes and puts RCU back in place of a freezer that is gone, by its record. `fds` are the members' in
/// order (an empty one is skipped and named). `kernel.dm` and `kernel.rcu` must have been prepared. FITHAWs run side by side, each
/// on a thread of its own: one whose disk does not answer, or whose FIFREEZE the dead freezer has left in the kernel, holds up
/// no other. Those that are not back after `patience` are reported as stuck and go on; they note their end in the record.
/// Safe to repeat once `pending` has ended: what was mended is marked in the record.
RescueReport rescue(const std::shared_ptr<const Record>& record, const std::shared_ptr<const std::vector<UniqueFd>>& fds,
                    WindowKernel& kernel, std::chrono::milliseconds patience = kRescuePatience);

/// Notes in the record which members that were thawed are read-only now (ThawRisk), whoever thawed them. After the window, not in it:
/// btrfs takes memory and its locks to answer. `fds` are the members' in order; an empty one is skipped.
void note_read_only(const Record& record, const std::vector<UniqueFd>& fds, FreezeKernel& kernel) noexcept;

/// The first part of rescue(): resumes what may still be suspended. For who has to look up paths before the rest: a look-up
/// may read from a suspended device.
void resume_suspended(const Record& record, DmKernel& dm, RescueReport& report);

} // namespace quiesced
