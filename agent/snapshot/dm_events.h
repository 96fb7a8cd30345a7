// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "base/result.h"

namespace quiesced {

/// Waits for events of device-mapper: a snapshot that was lost, a thin pool below its low water mark.
class DmEvents {
public:
    virtual ~DmEvents() = default;
    /// Events from this call on end the next wait().
    virtual void arm() = 0;
    /// Until an event, wake(), or the end of the time; none: for as long as it takes.
    virtual void wait(std::optional<std::chrono::milliseconds> longest) = 0;
    /// Ends the wait() under way, or the next one. Any thread.
    virtual void wake() = 0;
};

/// The kernel's: poll() on /dev/mapper/control (Linux 4.13), one descriptor for all devices. Without that control device it waits
/// for the time alone. Errors: kernel.
Result<std::unique_ptr<DmEvents>> make_dm_events();

} // namespace quiesced
