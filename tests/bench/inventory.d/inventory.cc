// SPDX-License-Identifier: LGPL-2.1-or-later
// How long an inventory takes, and how much memory, on machines of files with 10 to 1000 mounts and block devices.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/scope_exit.h"
#include "machine.h"

namespace quiesced {
namespace {

constexpr auto kSizes = std::to_array<std::size_t>({10, 32, 100, 316, 1000});

struct Figures {
    std::size_t devices = 0;
    std::size_t mounts = 0;
    std::size_t volumes = 0;
    double median_ms = 0;
    double cpu_ms = 0;          ///< the median of the processor's time, which other programs spoil less
    double slowest_ms = 0;
    double first_ms = 0;        ///< with nothing in the processor's caches
    double peak_rss_mib = 0;    ///< of the whole process, after the first reading
    double growth_mib = 0;      ///< what of that the first reading added
    std::optional<double> whole_ms; ///< a process that reads once, from its start to its end
    std::optional<double> lsblk_ms; ///< likewise
    std::optional<double> findmnt_ms;
};

/// A field of /proc/self/status, in MiB: VmHWM is the most that was ever in memory.
double memory_mib(std::string_view field) {
    const auto status = read_file("/proc/self/status").value_or(std::string());
    const auto place = status.find(field);
    if (place == std::string::npos) return 0;
    double kibibytes = 0;
    const auto start = status.find_first_of("0123456789", place);
    std::from_chars(status.data() + start, status.data() + status.size(), kibibytes);
    return kibibytes / 1024;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.at(values.size() / 2);
}

/// Of this thread: the reading starts no other.
std::chrono::nanoseconds cpu_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// In a process of its own, since the peak of memory never sinks.
int measure(const std::string& root, unsigned runs) {
    const auto paths = machine_paths(root);
    nlohmann::json answer;
    std::vector<double> times;
    std::vector<double> cpu_times;
    const double before = memory_mib("VmHWM:");
    for (unsigned run = 0; run <= runs; ++run) {
        const auto cpu_start = cpu_time();
        const auto start = Monotonic::now();
        const auto inventory = Inventory::read(paths, machine_probe());
        const double ms = to_ms(Monotonic::now() - start);
        if (!inventory) {
            std::cerr << inventory.error().message() << '\n';
            return 1;
        }
        if (run > 0) {
            times.push_back(ms);
            cpu_times.push_back(to_ms(cpu_time() - cpu_start));
            continue;
        }
        const double peak = memory_mib("VmHWM:");
        std::size_t mounts = 0;
        for (const auto& volume : inventory->volumes()) mounts += volume.mounts.size() + volume.overlays.size();
        answer = {{"first_ms", ms},
                  {"peak", peak},
                  {"growth", peak - before},
                  {"devices", inventory->graph().nodes().size()},
                  {"mounts", mounts},
                  {"volumes", inventory->volumes().size()}};
        for (const auto& problem : inventory->problems()) std::cerr << problem << '\n';
    }
    if (!times.empty()) {
        answer["median"] = median(times);
        answer["cpu"] = median(cpu_times);
        answer["slowest"] = *std::max_element(times.begin(), times.end());
    }
    std::cout << answer.dump() << '\n';
    return 0;
}

/// The median of several runs of a program from start to end; nothing where it fails.
std::optional<double> time_program(const std::vector<std::string>& command) {
    std::vector<double> times;
    ChildOptions options;
    options.output_limit = 64U << 20U;
    const auto enough = Monotonic::now() + std::chrono::seconds(10);
    for (int run = 0; run < 5 && (run == 0 || Monotonic::now() < enough); ++run) {
        const auto start = Monotonic::now();
        const auto outcome = run_child(command, options);
        if (!outcome || outcome->exit_status != 0 || outcome->output.empty()) return std::nullopt;
        times.push_back(to_ms(Monotonic::now() - start));
    }
    return median(times);
}

Result<Figures> measure_size(std::size_t size, unsigned runs) {
    std::string folder = "/dev/shm/quiesced-bench-XXXXXX"; // in memory, as the kernel's tables are
    if (::mkdtemp(folder.data()) == nullptr) return fail_errno("cannot make a folder in /dev/shm");
    const ScopeExit remove([&] {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    });
    write_machine(folder, size);
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    ChildOptions options;
    options.limit = std::chrono::minutes(5);
    const auto outcome = run_child({self, "--measure", folder, "--runs", std::to_string(runs)}, options);
    if (!outcome) return tl::unexpected<Error>(outcome.error());
    const auto answer = nlohmann::json::parse(outcome->output, nullptr, false);
    if (!answer.is_object()) return fail(ErrorKind::io, "the measuring process failed: " + outcome->errors);
    Figures figures;
    figures.devices = answer["devices"];
    figures.mounts = answer["mounts"];
    figures.volumes = answer["volumes"];
    figures.median_ms = answer["median"];
    figures.cpu_ms = answer["cpu"];
    figures.slowest_ms = answer["slowest"];
    figures.first_ms = answer["first_ms"];
    figures.peak_rss_mib = answer["peak"];
    figures.growth_mib = answer["growth"];
    figures.whole_ms = time_program({self, "--measure", folder, "--runs", "0"});
    figures.lsblk_ms = time_program({"lsblk", "--sysroot", folder, "--json", "--output", "NAME,FSTYPE,UUID,LABEL,SIZE,TYPE,MOUNTPOINTS,SERIAL,WWN,TRAN,HCTL"});
    figures.findmnt_ms = time_program({"findmnt", "--kernel", "--tab-file", folder + "/proc/self/mountinfo", "--json", "--output-all"});
    return figures;
}

/// The slope of the processor's time over size where both are on a logarithmic scale: 1 is linear, 2 quadratic.
double growth(const Figures& from, const Figures& to) {
    return std::log(to.cpu_ms / from.cpu_ms) /
           std::log(static_cast<double>(to.devices) / static_cast<double>(from.devices));
}

std::string text(std::optional<double> value) {
    if (!value) return "-";
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.1f", *value);
    return buffer.data();
}

std::optional<double> peer_ratio(const Figures& figures) {
    if (!figures.whole_ms || !figures.lsblk_ms || !figures.findmnt_ms) return std::nullopt;
    return *figures.whole_ms / (*figures.lsblk_ms + *figures.findmnt_ms);
}

void print_table(const std::vector<Figures>& all) {
    std::printf("%8s %8s %8s %9s %9s %9s %9s %9s | %9s %9s %9s\n", "devices", "mounts", "volumes", "median", "of CPU", "slowest", "first", "peak RSS",
                "process", "lsblk", "findmnt");
    for (const auto& one : all)
        std::printf("%8zu %8zu %8zu %6.2f ms %6.2f ms %6.2f ms %6.2f ms %5.1f MiB | %6s ms %6s ms %6s ms\n", one.devices, one.mounts, one.volumes,
                    one.median_ms, one.cpu_ms, one.slowest_ms, one.first_ms, one.peak_rss_mib, text(one.whole_ms).c_str(), text(one.lsblk_ms).c_str(),
                    text(one.findmnt_ms).c_str());
    std::printf("\ngrowth from %zu to %zu devices: size to the power of %.2f (1 is linear)\n", all.front().devices, all.back().devices,
                growth(all.front(), all.back()));
    if (const auto ratio = peer_ratio(all.back()))
        std::printf("a process that reads all of it once takes %.2f times what lsblk and findmnt take together\n", *ratio);
}

void print_json(const std::vector<Figures>& all) {
    const auto& last = all.back();
    const auto number = [](std::optional<double> value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& one : all)
        rows.push_back({{"devices", one.devices},
                        {"mounts", one.mounts},
                        {"volumes", one.volumes},
                        {"ms", one.median_ms},
                        {"cpu_ms", one.cpu_ms},
                        {"slowest_ms", one.slowest_ms},
                        {"first_ms", one.first_ms},
                        {"peak_rss_mib", one.peak_rss_mib},
                        {"process_ms", number(one.whole_ms)},
                        {"lsblk_ms", number(one.lsblk_ms)},
                        {"findmnt_ms", number(one.findmnt_ms)}});
    const nlohmann::json answer = {{"ms_at_1000", last.median_ms},
                                   {"ms_at_10", all.front().median_ms},
                                   {"cpu_ms_at_1000", last.cpu_ms},
                                   {"cpu_ms_at_10", all.front().cpu_ms},
                                   {"peak_rss_mib", last.peak_rss_mib},
                                   {"growth_mib", last.growth_mib},
                                   {"growth_exponent", growth(all.front(), last)},
                                   {"growth_exponent_100_to_1000", growth(all.at(2), last)},
                                   {"peer_ratio", number(peer_ratio(last))},
                                   {"peers", "lsblk --sysroot --json with 11 columns and findmnt --json --output-all, one after the other"},
                                   {"sizes", rows}};
    std::cout << answer.dump() << '\n';
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    bool json = false;
    unsigned runs = 15;
    std::string machine;
    CLI::App app("Measures the inventory on machines of files with 10 to 1000 mounts and block devices.");
    app.add_flag("--json", json, "One JSON object instead of a table");
    app.add_option("--runs", runs, "Readings for each size, after a first one")->check(CLI::Range(0U, 10000U))->capture_default_str();
    app.add_option("--measure", machine, "Measure one machine that is there (what the program starts itself with)");
    CLI11_PARSE(app, argc, argv);
    if (!machine.empty()) return quiesced::measure(machine, runs);
    std::vector<quiesced::Figures> all;
    for (const auto size : quiesced::kSizes) {
        auto figures = quiesced::measure_size(size, std::max(runs, 1U));
        if (!figures) {
            std::cerr << figures.error().message() << '\n';
            return 1;
        }
        all.push_back(*figures);
    }
    json ? quiesced::print_json(all) : quiesced::print_table(all);
    return 0;
}
