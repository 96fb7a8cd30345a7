// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace quiesced {

/// CLOCK_MONOTONIC as a std::chrono clock, equal to the kernel's: its values may be shared between processes of
/// one boot and handed to timerfd. (libstdc++'s steady_clock happens to be the same, but does not promise it.)
struct Monotonic {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Monotonic>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept {
        timespec ts{};
        ::clock_gettime(CLOCK_MONOTONIC, &ts); // vDSO: no system call
        return time_point(std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec));
    }
};

/// Milliseconds with a fraction, for people and JSON.
inline double to_ms(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

} // namespace quiesced
