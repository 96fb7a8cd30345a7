// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bench/window.d/figures.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <set>

#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace quiesced::bench {
namespace {

__attribute__((format(printf, 1, 2))) std::string text(const char* format, ...) {
    std::array<char, 256> buffer{};
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer.data(), buffer.size(), format, arguments);
    va_end(arguments);
    return buffer.data();
}

/// As people write it.
std::string title(const std::string& contestant) {
    if (contestant == "nothing") return "no freeze at all";
    if (contestant == "unexpedited") return "quiesced, unexpedited";
    if (contestant == "qemu_ga") return "qemu-ga";
    if (contestant == "fsfreeze") return "fsfreeze, one by one";
    return contestant;
}

std::string cell(const Spread& spread) {
    const auto number = [](double value) { return text(value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value); };
    return number(spread.median) + " (" + number(spread.least) + ".." + number(spread.most) + ")";
}

std::set<unsigned> sizes_of(const Figures& figures) {
    std::set<unsigned> sizes;
    for (const auto& [contestant, row] : figures.scaling)
        for (const auto& [size, spread] : row) sizes.insert(size);
    return sizes;
}

nlohmann::json to_json(const Spread& spread) { return {{"median", spread.median}, {"min", spread.least}, {"max", spread.most}}; }

} // namespace

Spread Spread::of(std::vector<std::chrono::nanoseconds> runs) {
    std::sort(runs.begin(), runs.end());
    const auto middle = runs.size() / 2;
    const auto median = runs.size() % 2 == 1 ? runs[middle] : (runs[middle - 1] + runs[middle]) / 2;
    return {.median = to_ms(median), .least = to_ms(runs.front()), .most = to_ms(runs.back())};
}

std::optional<double> Figures::mixed_ratio(const std::string& above, const std::string& below) const {
    const auto one = mixed.find(above), other = mixed.find(below);
    if (one == mixed.end() || other == mixed.end() || other->second.median <= 0) return std::nullopt;
    return one->second.median / other->second.median;
}

std::optional<double> Figures::scaling_ratio(const std::string& above, unsigned above_size, const std::string& below, unsigned below_size) const {
    const auto find = [this](const std::string& contestant, unsigned size) {
        const auto row = scaling.find(contestant);
        if (row == scaling.end() || !row->second.contains(size)) return 0.0;
        return row->second.at(size).median;
    };
    const double one = find(above, above_size), other = find(below, below_size);
    if (one <= 0 || other <= 0) return std::nullopt;
    return one / other;
}

std::optional<double> Figures::quiet_ratio(unsigned above_size, unsigned below_size) const {
    const auto one = quiet.find(above_size), other = quiet.find(below_size);
    if (one == quiet.end() || other == quiet.end() || other->second.median <= 0) return std::nullopt;
    return one->second.median / other->second.median;
}

std::string to_table(const Figures& figures) {
    const auto sizes = sizes_of(figures);
    std::string table = text("Longest stall of a writer in ms: median (least..most) of %u runs; Linux %s, %u processors, load %.1f before and %.1f after\n",
                             figures.runs, figures.kernel.c_str(), figures.processors, figures.load_before, figures.load_after);
    table += text("Each writer: 4 KiB every %u ms. ", figures.period);
    table += text("Mixed: ext4, xfs, btrfs, %u MiB dirty each. The others: small ext4, %u MiB dirty each. Loop devices on files in %s\n\n",
                  figures.mixed_dirty, figures.scaling_dirty, figures.where.c_str());
    table += text("%-22s", "");
    if (figures.mixed_count != 0) table += text("%22s", text("%u mixed", figures.mixed_count).c_str());
    for (const auto size : sizes) table += text("%22u", size);
    table += '\n';
    for (const auto& contestant : figures.contestants) {
        table += text("%-22s", title(contestant).c_str());
        const auto mixed = figures.mixed.find(contestant);
        if (figures.mixed_count != 0) table += text("%22s", mixed == figures.mixed.end() ? "-" : cell(mixed->second).c_str());
        const auto row = figures.scaling.find(contestant);
        for (const auto size : sizes) {
            const bool known = row != figures.scaling.end() && row->second.contains(size);
            table += text("%22s", known ? cell(row->second.at(size)).c_str() : "-");
        }
        table += '\n';
    }
    if (!figures.quiet.empty()) {
        table += text("%-22s", "its window, no writer");
        if (figures.mixed_count != 0) table += text("%22s", "");
        for (const auto size : sizes) table += text("%22s", figures.quiet.contains(size) ? cell(figures.quiet.at(size)).c_str() : "-");
        table += '\n';
    }
    table += '\n';
    const auto line = [&table](const std::optional<double>& ratio, const std::string& what) {
        if (ratio) table += text("%8.1f  ", *ratio) + what + '\n';
    };
    const auto mixed = text(", %u mixed file systems", figures.mixed_count);
    line(figures.mixed_ratio("qemu_ga", "quiesced"), "times shorter than qemu-ga" + mixed);
    line(figures.mixed_ratio("unexpedited", "quiesced"), "times shorter than unexpedited" + mixed);
    line(figures.scaling_ratio("fsfreeze", 64, "quiesced", 64), "times shorter than one by one, 64 small ext4");
    line(figures.scaling_ratio("quiesced", 256, "quiesced", 16), "times as long for 256 as for 16 small ext4");
    line(figures.quiet_ratio(256, 16), "times as long is its window for 256 as for 16 small ext4 that nobody writes to");
    if (figures.kill_release) line(figures.kill_release->median, "ms from SIGKILL of the daemon's process to the last writer's release" + mixed);
    for (const auto& [size, rss] : figures.freezer_rss_kib)
        line(static_cast<double>(rss) / 1024, text("MiB peak resident size of the freezer, %u file systems", size));
    return table;
}

nlohmann::json to_json(const Figures& figures) {
    nlohmann::json json = {{"runs", figures.runs},
                           {"period_ms", figures.period},
                           {"where", figures.where},
                           {"machine",
                            {{"kernel", figures.kernel},
                             {"processors", figures.processors},
                             {"load_before", figures.load_before},
                             {"load_after", figures.load_after}}},
                           {"file_systems", figures.mixed_count},
                           {"dirty_mib", figures.mixed_dirty},
                           {"scaling_dirty_mib", figures.scaling_dirty}};
    const auto put = [&json](const char* key, const std::optional<double>& value) {
        if (value) json[key] = *value;
    };
    for (const auto& [contestant, spread] : figures.mixed) {
        json[contestant + "_ms"] = spread.median;
        json["spread"][contestant] = to_json(spread);
    }
    for (const auto& [contestant, row] : figures.scaling)
        for (const auto& [size, spread] : row) json["scaling"][contestant]["at_" + std::to_string(size)] = to_json(spread);
    for (const auto& [size, spread] : figures.quiet) json["quiet_window"]["at_" + std::to_string(size)] = to_json(spread);
    put("quiet_ratio_256_16", figures.quiet_ratio(256, 16));
    for (const auto& [size, rss] : figures.freezer_rss_kib) json["freezer_peak_rss_kib"]["at_" + std::to_string(size)] = rss;
    put("ratio", figures.mixed_ratio("qemu_ga", "quiesced"));
    put("ratio_unexpedited", figures.mixed_ratio("unexpedited", "quiesced"));
    put("ratio_64_one_after_another", figures.scaling_ratio("fsfreeze", 64, "quiesced", 64));
    put("ratio_256_16", figures.scaling_ratio("quiesced", 256, "quiesced", 16));
    if (figures.kill_release) {
        json["kill_release_ms"] = figures.kill_release->median;
        json["spread"]["kill_release"] = to_json(*figures.kill_release);
    }
    return json;
}

std::string to_gnuplot(const Figures& figures, const std::string& path) {
    std::string program = "set terminal svg size 760,470 dynamic font 'sans-serif,13' background rgb 'white'\n"
                          "set output '" + path + "'\n"
                          "set title 'Longest stall of a writer: small ext4 file systems frozen together'\n"
                          "set xlabel 'file systems'\nset ylabel 'ms (median of " + std::to_string(figures.runs) + " runs)'\n"
                          "set logscale xy\nset grid ytics xtics lc rgb '#dddddd'\nset key left top\nset format y '%g'\n";
    const auto sizes = sizes_of(figures);
    std::string ticks, data, plots;
    for (const auto size : sizes) ticks += (ticks.empty() ? "" : ", ") + std::to_string(size);
    program += "set xtics (" + ticks + ")\n";
    if (!sizes.empty()) program += text("set xrange [%g:%g]\n", *sizes.begin() * 0.8, *sizes.rbegin() * 1.25);
    for (const auto& contestant : figures.contestants) {
        const auto row = figures.scaling.find(contestant);
        if (row == figures.scaling.end()) continue;
        data += "$" + contestant + " << EOD\n";
        for (const auto& [size, spread] : row->second) data += text("%u %.3f %.3f %.3f\n", size, spread.median, spread.least, spread.most);
        data += "EOD\n";
        const auto number = std::to_string(std::count(plots.begin(), plots.end(), '$') / 2 + 1);
        const auto source = "$" + contestant;
        plots += (plots.empty() ? "plot " : ", \\\n     ") + source + " using 1:2 with linespoints lw 2 pt 7 ps 0.6 lt " + number + " title '" +
                 title(contestant) + "', \\\n     " + source + " using 1:2:3:4 with yerrorbars lt " + number + " pt 7 ps 0.3 notitle";
    }
    return program + data + plots + "\n";
}

} // namespace quiesced::bench
