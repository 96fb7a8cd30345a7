// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/timeline_chart.h"

#include <algorithm>
#include <cmath>

namespace quiesced {
namespace {

constexpr std::size_t kLabel = 20;
constexpr std::size_t kFigure = 9;

/// One stretch of time on one line.
struct Bar {
    double start = 0; ///< ms
    double end = 0;
    char sign = '#';
};

/// A drawing from `from` to `to` ms, `columns` wide.
class Scale {
public:
    Scale(double from, double to, std::size_t columns) : from_(from), span_(std::max(to - from, 1e-6)), columns_(columns) {}

    [[nodiscard]] std::size_t column(double ms) const {
        const auto at = std::floor((ms - from_) / span_ * static_cast<double>(columns_));
        return static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(columns_ - 1)));
    }
    /// What happened is seen, however short it was.
    void draw(std::string& line, const Bar& bar) const {
        for (auto at = column(bar.start), last = column(std::max(bar.start, bar.end)); at <= last; ++at) line[at] = bar.sign;
    }
    [[nodiscard]] std::string empty() const { return std::string(columns_, ' '); }

private:
    double from_;
    double span_;
    std::size_t columns_;
};

std::string line_of(const std::string& label, const std::string& drawing, double length) {
    return pad_text(label, kLabel) + " " + drawing + " " + pad_text(duration_text(length), kFigure, true) + "\n";
}

/// The ends of a scale, below a head.
std::string ruler(const std::string& head, double from, double to, std::size_t columns) {
    const auto left = duration_text(from);
    const auto right = duration_text(to);
    const auto used = left.size() + right.size();
    return pad_text(head, kLabel) + " " + left + std::string(columns > used ? columns - used : 1, ' ') + right + "\n";
}

std::string draw_sequence(const ManifestView& set, std::size_t columns) {
    if (set.timeline.empty()) return {};
    double from = 0;
    double to = set.window_ms.value_or(0);
    for (const auto& span : set.timeline) {
        from = std::min(from, span.start_ms);
        to = std::max(to, span.start_ms + span.length_ms);
    }
    const Scale scale(from, to, columns);
    auto text = ruler("SEQUENCE", from, to, columns);
    for (const auto& span : set.timeline) {
        auto drawing = scale.empty();
        if (set.window_ms)
            for (const auto edge : {0.0, *set.window_ms}) drawing[scale.column(edge)] = '|';
        scale.draw(drawing, {span.start_ms, span.start_ms + span.length_ms});
        text += line_of(span.what, drawing, span.length_ms);
    }
    return text;
}

std::string draw_window(const ManifestView& set, std::size_t columns) {
    if (!set.window_ms) return {};
    const Scale scale(0, *set.window_ms, columns);
    auto text = ruler("WINDOW", 0, *set.window_ms, columns);
    for (const auto& member : set.members) {
        if (!member.frozen_at_ms) continue;
        const auto frozen = *member.frozen_at_ms;
        const auto thawing = frozen + member.hold_ms.value_or(0);
        auto drawing = scale.empty();
        // The hold last: it is what writers feel, and the others may share its columns.
        scale.draw(drawing, {frozen - member.freeze_ms.value_or(0), frozen, '>'});
        scale.draw(drawing, {thawing, thawing + member.thaw_ms.value_or(0), '<'});
        if (member.hold_ms) scale.draw(drawing, {frozen, thawing, '='});
        text += line_of(member.volume, drawing, member.hold_ms.value_or(0));
    }
    for (const auto& span : set.timeline) {
        if (span.start_ms < 0 || span.start_ms >= *set.window_ms) continue;
        if (span.start_ms + span.length_ms > *set.window_ms * 1.001) continue;
        auto drawing = scale.empty();
        scale.draw(drawing, {span.start_ms, span.start_ms + span.length_ms});
        text += line_of(span.what, drawing, span.length_ms);
    }
    return text + pad_text("", kLabel) + " > freezing  = held  < thawing; the figure is the hold\n";
}

} // namespace

std::string render_timeline(const ManifestView& set, std::size_t width) {
    const auto columns = std::max<std::size_t>(width - std::min(width, kLabel + kFigure + 2), 10);
    const auto sequence = draw_sequence(set, columns);
    const auto window = draw_window(set, columns);
    return sequence + (sequence.empty() || window.empty() ? "" : "\n") + window;
}

} // namespace quiesced
