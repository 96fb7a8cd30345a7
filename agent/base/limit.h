// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace quiesced {

/// Calls off whatever waits by a Limit with it, from then on. Any thread.
class Interrupt {
public:
    Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    void raise() noexcept;
    [[nodiscard]] bool raised() const noexcept { return raised_; }
    /// Readable from raise() on, for poll(). -1 when the kernel had none to give: then waits end by their time.
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    std::atomic<bool> raised_ = false;
    UniqueFd fd_;
};

/// How long something may take: until a time, or until it is called off. `interrupt` outlives it.
struct Limit {
    Limit(Monotonic::time_point time, const Interrupt* by = nullptr) : until(time), interrupt(by) {} // NOLINT(google-explicit-constructor): a time is a limit

    [[nodiscard]] bool interrupted() const { return interrupt != nullptr && interrupt->raised(); }
    [[nodiscard]] int fd() const { return interrupt != nullptr ? interrupt->fd() : -1; }

    Monotonic::time_point until;
    const Interrupt* interrupt;
};

} // namespace quiesced
