// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace quiesced::bench {

/// Several runs of the same thing.
struct Spread {
    double median = 0, least = 0, most = 0; ///< ms
    static Spread of(std::vector<std::chrono::nanoseconds> runs); ///< at least one
};

/// All that one call of the bench has found. Contestants by their names, in `contestants`' order.
struct Figures {
    std::vector<std::string> contestants;
    unsigned runs = 0;
    std::string where;                 ///< what the loop devices' files lie on
    std::string kernel;
    unsigned processors = 0;
    double load_before = 0, load_after = 0; ///< processes that wanted to run, the minute before and at the end
    unsigned mixed_count = 0;          ///< 0: not measured
    unsigned period = 1;               ///< ms from one write of a writer to its next
    unsigned mixed_dirty = 0, scaling_dirty = 0; ///< MiB on each file system
    std::map<std::string, Spread> mixed;                        ///< by contestant
    std::map<std::string, std::map<unsigned, Spread>> scaling;  ///< by contestant and number of file systems
    std::map<unsigned, Spread> quiet;                           ///< quiesced's own window while nobody writes, by number of file systems
    std::optional<Spread> kill_release;
    std::map<unsigned, std::uint64_t> freezer_rss_kib;          ///< largest, by number of file systems

    /// The quotient of two medians; nullopt when one was not measured.
    [[nodiscard]] std::optional<double> scaling_ratio(const std::string& above, unsigned above_size, const std::string& below,
                                                      unsigned below_size) const;
    [[nodiscard]] std::optional<double> quiet_ratio(unsigned above_size, unsigned below_size) const;
    [[nodiscard]] std::optional<double> mixed_ratio(const std::string& above, const std::string& below) const;
};

std::string to_table(const Figures& figures);
nlohmann::json to_json(const Figures& figures);
/// A program for gnuplot that writes the chart of the scaling to `path`.
std::string to_gnuplot(const Figures& figures, const std::string& path);

} // namespace quiesced::bench
