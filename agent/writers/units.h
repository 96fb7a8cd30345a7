// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>

#include "base/limit.h"
#include "base/result.h"

namespace quiesced {

/// The service manager's units, as far as a writer needs them. Any thread; blocking, at most for the limit. Errors of all, beside their own: deadline;
/// wrong_state (called off: what was asked for goes on).
class Units {
public:
    Units() = default;
    virtual ~Units() = default;
    Units(const Units&) = delete;
    Units& operator=(const Units&) = delete;

    /// ActiveState: "active", "inactive", "failed", ... Errors: io (there is no such unit), kernel (no bus).
    virtual Result<std::string> state(const std::string& unit, const Limit& limit) = 0;
    /// FreezerState: "running", "freezing", "frozen", "thawing". Errors likewise.
    virtual Result<std::string> freezer_state(const std::string& unit, const Limit& limit) = 0;
    /// All processes of its control group stand still when this returns. Errors: deadline, writer_failed (systemd's words).
    virtual Result<void> freeze(const std::string& unit, const Limit& limit) = 0;
    virtual Result<void> thaw(const std::string& unit, const Limit& limit) = 0;
    /// Returns when its job has ended. Errors: deadline, writer_failed.
    virtual Result<void> stop(const std::string& unit, const Limit& limit) = 0;
    virtual Result<void> start(const std::string& unit, const Limit& limit) = 0;
};

/// Those of systemd on the system bus; a connection for each call.
std::unique_ptr<Units> make_systemd_units();

} // namespace quiesced
