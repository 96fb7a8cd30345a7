// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// How the freezer's threads wake its main loop: an eventfd that poll() can wait for.
class Wakeup {
public:
    static Result<Wakeup> create();
    void signal() noexcept; ///< any thread
    void clear() noexcept;
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    explicit Wakeup(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

} // namespace quiesced
