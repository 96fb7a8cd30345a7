// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/limit.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace quiesced {

Interrupt::Interrupt() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Interrupt::raise() noexcept {
    raised_ = true;
    const std::uint64_t one = 1;
    // Never read, so that it stays readable; a write fails only when it already is.
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
}

} // namespace quiesced
