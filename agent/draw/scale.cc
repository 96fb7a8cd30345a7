// SPDX-License-Identifier: LGPL-2.1-or-later
#include "draw/scale.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace quiesced {
namespace {

double round_step(double rough) {
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (rough <= factor * power) return factor * power;
    return 10 * power;
}

std::string tick_text(double ms, double step) {
    const bool seconds = step >= 1000;
    const bool microseconds = step < 0.1;
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%g %s", seconds ? ms / 1000 : microseconds ? ms * 1000 : ms, seconds ? "s" : microseconds ? "us" : "ms");
    return text.data();
}

} // namespace

TimeScale::TimeScale(double from, double to, double left, double width)
    : from_(from), to_(std::max(to, from + 1e-6)), left_(left), width_(width) {}

double TimeScale::at(double ms) const {
    return left_ + std::clamp((ms - from_) / (to_ - from_), 0.0, 1.0) * width_;
}

std::vector<TimeScale::Tick> TimeScale::ticks(double apart) const {
    const double step = round_step((to_ - from_) * apart / width_);
    std::vector<Tick> ticks;
    const auto first = static_cast<long>(std::ceil(from_ / step - 1e-9));
    const auto last = static_cast<long>(std::floor(to_ / step + 1e-9));
    for (auto i = first; i <= last; ++i) ticks.push_back({static_cast<double>(i) * step, tick_text(static_cast<double>(i) * step, step)});
    return ticks;
}

} // namespace quiesced
