// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace quiesced {

/// Times on a stretch of a drawing.
class TimeScale {
public:
    /// `from` to `to` ms lie `width` pixels wide from `left` on. A range of nothing gets a millionth.
    TimeScale(double from, double to, double left, double width);

    /// Never outside of the stretch.
    [[nodiscard]] double at(double ms) const;
    [[nodiscard]] double left() const { return left_; }
    [[nodiscard]] double right() const { return left_ + width_; }

    struct Tick {
        double ms;
        std::string text; ///< "20 ms"
    };
    /// At 1, 2 or 5 times a power of ten, about `apart` pixels from one another; no more than the width holds.
    [[nodiscard]] std::vector<Tick> ticks(double apart) const;

private:
    double from_, to_, left_, width_;
};

} // namespace quiesced
