// SPDX-License-Identifier: LGPL-2.1-or-later
#include "metrics.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "base/file.h"

namespace quiesced {
namespace {

/// A label's value: OpenMetrics escapes these three and nothing else; what is no UTF-8 must not be in it.
std::string label(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '\\' || c == '"') (safe += '\\') += c;
        else if (c == '\n') safe += "\\n";
        else safe += static_cast<unsigned char>(c) < 0x80 ? c : '?';
    }
    return safe;
}

std::string number(double value) {
    char text[40]; // NOLINT(cppcoreguidelines-avoid-c-arrays)
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

void family(std::string& text, const char* name, const char* type, const char* unit, const char* help) {
    text += std::string("# TYPE ") + name + " " + type + "\n";
    if (*unit != '\0') text += std::string("# UNIT ") + name + " " + unit + "\n";
    text += std::string("# HELP ") + name + " " + help + "\n";
}

} // namespace

std::string render_metrics(const MetricsSample& sample) {
    std::string text;
    family(text, "quiesced_build", "info", "", "Release of the daemon.");
    text += "quiesced_build_info{version=\"" + label(sample.version) + "\"} 1\n";
    family(text, "quiesced_sets", "gauge", "", "Snapshot sets by their state.");
    for (std::size_t i = 0; i < sample.sets.size(); ++i)
        text += "quiesced_sets{state=\"" + std::string(state_name(static_cast<State>(i))) + "\"} " + std::to_string(sample.sets[i]) + "\n";
    family(text, "quiesced_sets_taken", "counter", "", "Sets that became complete since the daemon's start.");
    text += "quiesced_sets_taken_total " + std::to_string(sample.taken) + "\n";
    family(text, "quiesced_sets_failed", "counter", "", "Sets that failed since the daemon's start.");
    text += "quiesced_sets_failed_total " + std::to_string(sample.failed) + "\n";
    family(text, "quiesced_stuck_volumes", "gauge", "", "Volumes whose freeze or thaw has not returned from the kernel.");
    text += "quiesced_stuck_volumes " + std::to_string(sample.stuck) + "\n";
    family(text, "quiesced_lost_sets", "gauge", "", "Complete sets of which a snapshot is lost.");
    text += "quiesced_lost_sets " + std::to_string(sample.lost) + "\n";
    if (sample.window_seconds) {
        family(text, "quiesced_window_seconds", "gauge", "seconds", "From the first freeze to the last thaw of the newest complete set.");
        text += "quiesced_window_seconds " + number(*sample.window_seconds) + "\n";
    }
    if (sample.last_set) {
        family(text, "quiesced_last_set_timestamp_seconds", "gauge", "seconds", "When the newest complete set was made, Unix time.");
        text += "quiesced_last_set_timestamp_seconds " + std::to_string(*sample.last_set) + "\n";
    }
    if (!sample.fills.empty()) {
        family(text, "quiesced_store_fill_ratio", "gauge", "ratio", "How full the place is in which a snapshot lives, 0 to 1.");
        for (const auto& [set, fills] : sample.fills) {
            // Two members may share a pool: the same place of a set is one sample for each volume, and no pair of labels comes twice.
            std::set<std::string> told;
            for (const auto& fill : fills) {
                const auto labels = "set=\"" + set.text() + "\",volume=\"" + label(fill.volume) + "\",kind=\"" + label(fill.kind) + "\",name=\"" + label(fill.name) + "\"";
                if (told.insert(labels).second) text += "quiesced_store_fill_ratio{" + labels + "} " + number(fill.percent / 100) + "\n";
            }
        }
    }
    return text + "# EOF\n";
}

void Metrics::attach(Sources sources) {
    {
        const std::lock_guard lock(mutex_);
        sources_ = std::move(sources);
    }
    changed();
}

void Metrics::changed() {
    writer_.post([this] { write(); });
}

void Metrics::state_changed(const SetId& /*set*/, State state) {
    {
        const std::lock_guard lock(mutex_);
        if (state == State::complete) ++sample_.taken;
        if (state == State::failed) ++sample_.failed;
    }
    // What happens in a window is written when it is over; the thaw comes through here, too.
    if (!is_window(state)) changed();
}

void Metrics::space_seen(const std::map<SetId, std::vector<Fill>>& fills) {
    {
        const std::lock_guard lock(mutex_);
        sample_.fills = fills;
    }
    changed();
}

void Metrics::finish() { writer_.finish(); }

void Metrics::write() {
    MetricsSample sample;
    Sources sources;
    {
        const std::lock_guard lock(mutex_);
        sample = sample_;
        sources = sources_;
    }
    if (!sources.read || sources.in_window()) return;
    sources.read(sample);
    auto text = render_metrics(sample);
    if (text == written_) return;
    const auto directory = open_at(AT_FDCWD, directory_, O_RDONLY | O_DIRECTORY);
    if (!directory) return;
    // It is in memory (/run), so that this waits for no disk. A failure has the next change try again.
    if (replace_file_at(directory->get(), kFile, text, 0644)) written_ = std::move(text);
}

} // namespace quiesced
