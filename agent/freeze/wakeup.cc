// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace quiesced {

Result<Wakeup> Wakeup::create() {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) return fail_errno("cannot make an eventfd");
    return Wakeup(std::move(fd));
}

void Wakeup::signal() noexcept {
    const std::uint64_t one = 1;
    // Fails only when the counter is full: then a wakeup is pending anyway.
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
}

void Wakeup::clear() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(fd_.get(), &count, sizeof count);
}

} // namespace quiesced
