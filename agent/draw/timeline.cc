// SPDX-License-Identifier: LGPL-2.1-or-later
#include "draw/timeline.h"

#include <algorithm>
#include <array>
#include <vector>

#include "draw/scale.h"
#include "draw/svg.h"
#include "view/text.h"

namespace quiesced {
namespace {

constexpr double kWidth = 1280;
constexpr double kMargin = 28;
constexpr double kRow = 20;
constexpr double kBar = 12;
constexpr double kCharacter = 7.25; ///< of a monospaced font of 12 pixels: 0.6 of its size, and a little for wider ones
constexpr double kFigure = 76;      ///< column of "99.9 ms"
constexpr double kFlush = 120;      ///< the flushes have a scale of their own: they come before the window
constexpr std::size_t kLongestLabel = 44;

constexpr const char* kStep = "#7b8794";
constexpr const char* kFlushing = "#b4bfca";
constexpr const char* kFreezing = "#e9973f";
constexpr const char* kHeld = "#2f6690";
constexpr const char* kThawing = "#81c3d7";
constexpr const char* kCut = "#c1121f";

bool is_cut(const SpanView& span) { return span.what == "fire" || span.what.starts_with("commit"); }

std::string from_to(double start, double end) { return ", from " + duration_text(start) + " to " + duration_text(end); }

class Chart {
public:
    explicit Chart(const ManifestView& set) : set_(set), svg_(kWidth, height(), "Timeline of snapshot set " + set.id, description()) {
        svg_.root().append_attribute("font-family") = "Helvetica, Arial, sans-serif";
        svg_.root().append_attribute("font-size") = "12";
        svg_.root().append_attribute("fill") = Palette::ink;
    }

    std::string draw() {
        header();
        if (!set_.timeline.empty()) sequence();
        if (set_.window_ms) window();
        if (set_.timeline.empty() && !set_.window_ms) svg_.text(svg_.root(), kMargin, y_ + 20, "This set has no times yet.");
        errors();
        return svg_.to_string();
    }

private:
    [[nodiscard]] std::string description() const {
        std::string text = set_.state;
        if (!set_.consistency.empty()) text += ", " + set_.consistency + "-consistent";
        if (set_.window_ms) text += ", window " + duration_text(*set_.window_ms);
        if (!set_.created.empty()) text += ", made " + set_.created;
        return text;
    }
    [[nodiscard]] std::vector<SpanView> spans_of_window() const {
        std::vector<SpanView> spans;
        if (!set_.window_ms) return spans;
        for (const auto& span : set_.timeline)
            if (span.start_ms >= 0 && span.start_ms < *set_.window_ms && span.start_ms + span.length_ms <= *set_.window_ms * 1.001) spans.push_back(span);
        return spans;
    }
    [[nodiscard]] std::vector<std::string> failures() const {
        std::vector<std::string> lines;
        const auto add = [&](const std::string& text) {
            const auto wrapped = wrap_text(text, 160, 4);
            for (std::size_t at = 0; at < wrapped.size(); at = wrapped.find('\n', at) + 1) lines.push_back(wrapped.substr(at, wrapped.find('\n', at) - at));
        };
        if (!set_.error.empty()) add("Failed: " + set_.error);
        for (const auto& name : set_.stuck) add("STILL FROZEN: " + name);
        for (const auto& member : set_.members)
            if (!member.error.empty()) add(member.volume + ": " + member.error);
        return lines;
    }
    [[nodiscard]] double height() const {
        double height = kMargin + 70;
        if (!set_.timeline.empty()) height += 62 + kRow * static_cast<double>(set_.timeline.size());
        if (set_.window_ms) height += 112 + kRow * static_cast<double>(spans_of_window().size() + set_.members.size());
        return height + 18 * static_cast<double>(failures().size()) + kMargin;
    }
    [[nodiscard]] double label_width() const {
        std::size_t widest = 12;
        for (const auto& span : set_.timeline) widest = std::max(widest, text_width(printable(span.what)));
        for (const auto& member : set_.members) widest = std::max(widest, text_width(printable(member.volume)));
        return static_cast<double>(std::min(widest, kLongestLabel)) * kCharacter + 16;
    }

    void header() {
        auto title = svg_.text(svg_.root(), kMargin, kMargin + 14, "Snapshot set " + set_.id);
        title.append_attribute("font-size") = "20";
        title.append_attribute("font-weight") = "bold";
        auto words = svg_.text(svg_.root(), kMargin, kMargin + 38, description());
        words.append_attribute("font-size") = "14";
        words.append_attribute("fill") = set_.state == "failed" ? Palette::failure : Palette::faint;
        y_ = kMargin + 62;
    }
    void section(pugi::xml_node group, const char* name, const char* what) {
        auto head = svg_.text(group, kMargin, y_ + 12, name);
        head.append_attribute("font-size") = "14";
        head.append_attribute("font-weight") = "bold";
        if (*what != '\0') svg_.text(group, kMargin + 12 + 9.4 * static_cast<double>(std::string_view(name).size()), y_ + 12, what).append_attribute("fill") = Palette::faint;
        y_ += 24;
    }
    /// Ticks above, and their lines down to `bottom`.
    void axis(pugi::xml_node group, const TimeScale& scale, double bottom) {
        auto axis = svg_.group(group, "");
        axis.append_attribute("font-size") = "11";
        for (const auto& tick : scale.ticks(96)) {
            svg_.line(axis, scale.at(tick.ms), y_ + 16, scale.at(tick.ms), bottom, Palette::grid);
            svg_.text(axis, scale.at(tick.ms), y_ + 11, tick.text, "middle").append_attribute("fill") = Palette::faint;
        }
        y_ += 18;
    }
    void label(pugi::xml_node group, double x, const std::string& text) {
        auto words = svg_.text(group, x, y_ + 14, fit_text(text, kLongestLabel));
        words.append_attribute("font-family") = "DejaVu Sans Mono, Consolas, monospace";
    }
    void figure(pugi::xml_node group, double right, const std::optional<double>& ms) {
        svg_.text(group, right, y_ + 14, ms ? duration_text(*ms) : "-", "end").append_attribute("fill") = ms ? Palette::ink : Palette::faint;
    }
    /// What happened is seen, however short it was.
    void bar(pugi::xml_node group, const TimeScale& scale, double start, double end, const char* colour, const std::string& kind, const std::string& tip) {
        const auto left = scale.at(start);
        const auto width = std::max(scale.at(end) - left, 1.0);
        auto shape = svg_.rectangle(group, std::min(left, scale.right() - width), y_ + (kRow - kBar) / 2, width, kBar, colour, tip);
        shape.append_attribute("class") = kind.c_str();
    }
    void stripe(pugi::xml_node group, std::size_t number) {
        if (number % 2 == 0) svg_.rectangle(group, kMargin - 8, y_, kWidth - 2 * kMargin + 16, kRow, Palette::band);
    }

    void sequence() {
        auto group = svg_.group(svg_.root(), "sequence");
        section(group, "Sequence", set_.window_ms ? "0 is the start of the window, which is marked" : "");
        double from = 0;
        double to = set_.window_ms.value_or(0);
        for (const auto& span : set_.timeline) {
            from = std::min(from, span.start_ms);
            to = std::max(to, span.start_ms + span.length_ms);
        }
        const auto left = kMargin + label_width();
        const TimeScale scale(from, to, left, kWidth - kMargin - kFigure - left);
        const auto rows = y_ + 18;
        const auto bottom = rows + kRow * static_cast<double>(set_.timeline.size());
        y_ = rows;
        for (std::size_t i = 0; i < set_.timeline.size(); ++i, y_ += kRow) stripe(group, i);
        y_ = rows - 18;
        if (set_.window_ms) {
            const auto start = scale.at(0);
            svg_.rectangle(group, start, rows - 2, std::max(scale.at(*set_.window_ms) - start, 2.0), bottom - rows + 4, "#f7dfa8",
                           "The window: " + duration_text(*set_.window_ms)).append_attribute("id") = "window-mark";
        }
        axis(group, scale, bottom);
        for (const auto& span : set_.timeline) {
            auto row = svg_.group(group, "");
            label(row, kMargin, span.what);
            bar(row, scale, span.start_ms, span.start_ms + span.length_ms, is_cut(span) ? kCut : kStep, "step",
                span.what + ": " + duration_text(span.length_ms) + from_to(span.start_ms, span.start_ms + span.length_ms));
            figure(row, kWidth - kMargin, span.length_ms);
            y_ += kRow;
        }
        y_ += 20;
    }

    void window() {
        auto group = svg_.group(svg_.root(), "window");
        section(group, "Window", "enlarged, from the first freeze to the last thaw");
        legend(group);
        const auto spans = spans_of_window();
        const auto flushed = std::max_element(set_.members.begin(), set_.members.end(), [](const auto& a, const auto& b) { return a.flush_ms < b.flush_ms; });
        const double longest_flush = flushed == set_.members.end() ? 0 : flushed->flush_ms.value_or(0);
        const auto labels = kMargin + label_width();
        const auto left = labels + (longest_flush > 0 ? kFlush + 14 : 0);
        const TimeScale scale(0, *set_.window_ms, left, kWidth - kMargin - 4 * kFigure - left - 6);
        const auto rows = y_ + 18;
        const auto bottom = rows + kRow * static_cast<double>(spans.size() + set_.members.size());
        y_ = rows;
        for (std::size_t i = 0; i < spans.size() + set_.members.size(); ++i, y_ += kRow) stripe(group, i);
        y_ = rows - 18;
        heads(group, labels, longest_flush);
        for (const auto& span : spans)
            if (is_cut(span))
                svg_.rectangle(group, scale.at(span.start_ms), rows, std::max(scale.at(span.start_ms + span.length_ms) - scale.at(span.start_ms), 1.0),
                               bottom - rows, kCut).append_attribute("fill-opacity") = "0.10";
        axis(group, scale, bottom);
        for (const auto& span : spans) {
            auto row = svg_.group(group, "");
            label(row, kMargin, span.what);
            bar(row, scale, span.start_ms, span.start_ms + span.length_ms, is_cut(span) ? kCut : kStep, is_cut(span) ? "cut" : "step",
                span.what + ": " + duration_text(span.length_ms) + from_to(span.start_ms, span.start_ms + span.length_ms));
            figure(row, kWidth - kMargin, span.length_ms);
            y_ += kRow;
        }
        for (std::size_t i = 0; i < set_.members.size(); ++i) member(group, scale, i, labels, longest_flush);
        // On top of the bars: when each cut began and ended.
        for (const auto& span : spans)
            if (is_cut(span))
                for (const auto edge : {span.start_ms, span.start_ms + span.length_ms}) {
                    auto mark = svg_.line(group, scale.at(edge), rows, scale.at(edge), bottom, kCut);
                    mark.append_attribute("stroke-dasharray") = "2 3";
                    mark.append_attribute("class") = "cut-instant";
                }
        y_ += 20;
    }
    void heads(pugi::xml_node group, double labels, double longest_flush) {
        auto heads = svg_.group(group, "");
        heads.append_attribute("fill") = Palette::faint;
        heads.append_attribute("font-size") = "11";
        if (longest_flush > 0) svg_.text(heads, labels + kFlush - 8, y_ + 11, "flush, before (" + duration_text(longest_flush) + ")", "end");
        static constexpr std::array names{"thaw", "hold", "freeze", "flush"};
        for (std::size_t i = 0; i < names.size(); ++i) svg_.text(heads, kWidth - kMargin - kFigure * static_cast<double>(i), y_ + 11, names.at(i), "end");
    }
    void member(pugi::xml_node group, const TimeScale& scale, std::size_t number, double labels, double longest_flush) {
        const auto& member = set_.members[number];
        auto row = svg_.group(group, "member-" + std::to_string(number + 1));
        row.append_child("title").text().set(printable(member.volume + (member.error.empty() ? "" : ": " + member.error)).c_str());
        const auto swatch = placement_swatch(member.placement);
        auto mark = svg_.rectangle(row, kMargin - 8, y_ + 4, 4, kRow - 8, swatch.line);
        mark.append_attribute("class") = ("placement-" + printable(member.placement)).c_str();
        label(row, kMargin, member.volume);
        if (!member.error.empty()) row.last_child().append_attribute("fill") = Palette::failure;
        if (member.flush_ms && longest_flush > 0) {
            const TimeScale flushes(0, longest_flush, 0, kFlush);
            const auto width = std::max(flushes.at(*member.flush_ms), 1.0);
            svg_.rectangle(row, labels + kFlush - width, y_ + (kRow - kBar) / 2, width, kBar, kFlushing,
                           member.volume + ": last flush before the window, " + duration_text(*member.flush_ms)).append_attribute("class") = "flush";
        }
        if (member.frozen_at_ms) {
            const auto frozen = *member.frozen_at_ms;
            const auto started = frozen - member.freeze_ms.value_or(0);
            const auto thawing = frozen + member.hold_ms.value_or(0);
            const auto thawed = thawing + member.thaw_ms.value_or(0);
            if (member.freeze_ms)
                bar(row, scale, started, frozen, kFreezing, "freeze", member.volume + ": freezing, " + duration_text(*member.freeze_ms) + from_to(started, frozen));
            if (member.thaw_ms)
                bar(row, scale, thawing, thawed, kThawing, "thaw", member.volume + ": thawing, " + duration_text(*member.thaw_ms) + from_to(thawing, thawed));
            // The last: it is what writers feel, and the others may share its pixels.
            if (member.hold_ms)
                bar(row, scale, frozen, thawing, kHeld, "hold", member.volume + ": held, " + duration_text(*member.hold_ms) + from_to(frozen, thawing));
        }
        const std::array figures{member.thaw_ms, member.hold_ms, member.freeze_ms, member.flush_ms};
        for (std::size_t i = 0; i < figures.size(); ++i) figure(row, kWidth - kMargin - kFigure * static_cast<double>(i), figures.at(i));
        y_ += kRow;
    }
    void legend(pugi::xml_node parent) {
        auto group = svg_.group(parent, "legend");
        struct Entry {
            const char* name;
            const char* colour;
        };
        std::vector<Entry> entries{{"flush", kFlushing}, {"freezing", kFreezing}, {"held", kHeld}, {"thawing", kThawing}, {"cut", kCut}, {"other step", kStep}};
        std::vector<std::string> placements;
        for (const auto& member : set_.members)
            if (!member.placement.empty() && std::find(placements.begin(), placements.end(), member.placement) == placements.end()) placements.push_back(member.placement);
        double x = kMargin;
        const auto add = [&](const std::string& name, const char* colour, double width) {
            svg_.rectangle(group, x, y_ + 2, width, kBar, colour);
            svg_.text(group, x + width + 6, y_ + 12, name);
            x += width + 30 + 6.6 * static_cast<double>(text_width(printable(name)));
        };
        for (const auto& entry : entries) add(entry.name, entry.colour, 18);
        x += 24;
        for (const auto& placement : placements) add("on " + placement, placement_swatch(placement).line, 4);
        y_ += 28;
    }
    void errors() {
        const auto lines = failures();
        if (lines.empty()) return;
        auto group = svg_.group(svg_.root(), "errors");
        group.append_attribute("fill") = Palette::failure;
        for (const auto& line : lines) {
            svg_.text(group, kMargin, y_ + 12, line);
            y_ += 18;
        }
    }

    const ManifestView& set_;
    SvgDocument svg_;
    double y_ = kMargin;
};

} // namespace

std::string draw_timeline(const ManifestView& set) { return Chart(set).draw(); }

} // namespace quiesced
