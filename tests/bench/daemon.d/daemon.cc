// SPDX-License-Identifier: LGPL-2.1-or-later
// What the daemon costs: from its start to READY, idle, and for each call. On a private bus; sets are simulated ones.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/file.h"
#include "base/scope_exit.h"
#include "bus/dict.h"
#include "native/notify_socket.h"
#include "native/program.h"

namespace quiesced {
namespace {

constexpr const char* kService = "org.quiesced1";
constexpr const char* kManager = "org.quiesced1.Manager";
constexpr const char* kSet = "org.quiesced1.SnapshotSet";

struct Figures {
    bool real = false;           ///< start and idle are those of a daemon over this machine, else of a simulated guest
    double ready_ms = 0;         ///< median, from the fork to READY=1
    double ready_slowest_ms = 0;
    double idle_rss_mib = 0;
    double idle_anonymous_mib = 0; ///< what of that no other process shares
    double idle_seconds = 0;
    long idle_wakeups = 0;       ///< of all of its threads in that time
    double idle_wakeups_60s = 0;
    double getall_us = 0;        ///< median
    double getall_slowest_us = 0;
    double sim_sequence_ms = 0;  ///< median of CreateSet and Take over two volumes; its manifest in memory
    double sim_sequence_slowest_ms = 0;
    double sim_sequence_disk_ms = 0; ///< the same with the manifest on this machine's disk, which is waited for four times
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// The number after `field` in a status file of /proc.
long status_number(const std::string& path, const std::string& field) {
    const auto text = read_file(path).value_or(std::string());
    const auto place = text.find("\n" + field);
    if (place == std::string::npos) return 0;
    long number = 0;
    const auto start = text.find_first_of("0123456789", place + field.size());
    std::from_chars(text.data() + start, text.data() + text.size(), number);
    return number;
}

/// How often the threads of a process have come to run: each ends with a switch.
long switches(pid_t pid) {
    long all = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
        const auto status = task.path().string() + "/status";
        all += status_number(status, "voluntary_ctxt_switches:") + status_number(status, "nonvoluntary_ctxt_switches:");
    }
    return all;
}

class Bench {
public:
    /// `memory`: a folder in memory, as /run is.
    Bench(std::string folder, std::string memory) : folder_(std::move(folder)), memory_(std::move(memory)), bus_(folder_), notify_(folder_ + "/notify") {}

    void measure_start(unsigned starts, Figures& figures) {
        std::vector<double> times;
        for (unsigned i = 0; i < starts; ++i) {
            const auto begin = Monotonic::now();
            const auto daemon = start(!figures.real);
            times.push_back(to_ms(Monotonic::now() - begin));
        }
        figures.ready_ms = median(times);
        figures.ready_slowest_ms = *std::max_element(times.begin(), times.end());
    }

    void measure_idle(unsigned seconds, Figures& figures) {
        const auto daemon = start(!figures.real);
        const auto status = "/proc/" + std::to_string(daemon->pid()) + "/status";
        std::this_thread::sleep_for(std::chrono::seconds(3)); // house-allow(sleep): what the start began comes to rest
        const auto begin = Monotonic::now();
        const auto before = switches(daemon->pid());
        std::this_thread::sleep_for(std::chrono::seconds(seconds)); // house-allow(sleep): that nothing happens is what is measured
        figures.idle_wakeups = switches(daemon->pid()) - before;
        figures.idle_seconds = to_ms(Monotonic::now() - begin) / 1000;
        figures.idle_wakeups_60s = static_cast<double>(figures.idle_wakeups) * 60 / figures.idle_seconds;
        figures.idle_rss_mib = static_cast<double>(status_number(status, "VmRSS:")) / 1024;
        figures.idle_anonymous_mib = static_cast<double>(status_number(status, "RssAnon:")) / 1024;
    }

    void measure_calls(unsigned runs, Figures& figures) {
        std::vector<double> sequences, properties;
        measure_sequences(runs, folder_ + "/state", sequences, properties);
        figures.sim_sequence_disk_ms = median(sequences);
        sequences.clear();
        measure_sequences(runs, memory_ + "/state", sequences, properties);
        figures.sim_sequence_ms = median(sequences);
        figures.sim_sequence_slowest_ms = *std::max_element(sequences.begin(), sequences.end());
        figures.getall_us = median(properties);
        figures.getall_slowest_us = *std::max_element(properties.begin(), properties.end());
    }

private:
    void measure_sequences(unsigned runs, const std::string& state, std::vector<double>& sequences, std::vector<double>& properties) {
        const auto daemon = start(true, state);
        const auto connection = open_bus(bus_.address());
        const auto manager = sdbus::createProxy(*connection, BusServiceName(kService), sdbus::ObjectPath("/org/quiesced1"));
        for (unsigned i = 0; i < runs; ++i) {
            sdbus::ObjectPath path;
            const auto begin = Monotonic::now();
            manager->callMethod("CreateSet").onInterface(kManager).withArguments(std::vector<std::string>{"/srv/data", "/srv/lun"}, Dict()).storeResultsTo(path);
            const auto set = sdbus::createProxy(*connection, BusServiceName(kService), path);
            std::string manifest;
            set->callMethod("Take").onInterface(kSet).withArguments(Dict()).storeResultsTo(manifest);
            sequences.push_back(to_ms(Monotonic::now() - begin));
            for (int all = 0; all < 20; ++all) {
                Dict answer;
                const auto start = Monotonic::now();
                set->callMethod("GetAll").onInterface("org.freedesktop.DBus.Properties").withArguments(std::string(kSet)).storeResultsTo(answer);
                properties.push_back(to_ms(Monotonic::now() - start) * 1000);
            }
            set->callMethod("Delete").onInterface(kSet).withArguments(Dict());
        }
    }

    std::unique_ptr<Program> start(bool simulated) { return start(simulated, folder_ + "/state"); }
    std::unique_ptr<Program> start(bool simulated, const std::string& state) {
        std::vector<std::string> argv{QUIESCED_BUILT, "--bus", bus_.address(), "--state-directory", state, "--run-directory", memory_ + "/run",
                                      "--plugin-directory", folder_ + "/plugins", "--config-directory", folder_ + "/etc", "--freezer", QUIESCED_FREEZER_BUILT};
        if (simulated) argv.emplace_back("--sim");
        auto daemon = std::make_unique<Program>(argv, folder_ + "/daemon.log", std::vector{notify_.variable()});
        if (!notify_.wait_for("READY=1")) throw std::runtime_error("the daemon is not ready: " + daemon->output());
        return daemon;
    }

    std::string folder_;
    std::string memory_;
    PrivateBus bus_;
    NotifySocket notify_;
};

void print_table(const Figures& figures) {
    std::printf("start to READY      %8.2f ms   (slowest %.2f ms), %s\n", figures.ready_ms, figures.ready_slowest_ms,
                figures.real ? "over this machine" : "over a simulated guest");
    std::printf("idle                %8.2f MiB  in memory, %.2f MiB of them its own\n", figures.idle_rss_mib, figures.idle_anonymous_mib);
    std::printf("                    %8ld      wake-ups in %.0f s\n", figures.idle_wakeups, figures.idle_seconds);
    std::printf("GetAll of a set     %8.1f us   (slowest %.1f us)\n", figures.getall_us, figures.getall_slowest_us);
    std::printf("simulated sequence  %8.2f ms   (slowest %.2f ms): CreateSet and Take of two volumes\n", figures.sim_sequence_ms, figures.sim_sequence_slowest_ms);
    std::printf("                    %8.2f ms   with the manifest on this machine's disk\n", figures.sim_sequence_disk_ms);
}

void print_json(const Figures& figures) {
    const nlohmann::json answer = {{"ready_ms", figures.ready_ms},
                                   {"ready_slowest_ms", figures.ready_slowest_ms},
                                   {"idle_rss_mib", figures.idle_rss_mib},
                                   {"idle_anonymous_mib", figures.idle_anonymous_mib},
                                   {"idle_seconds", figures.idle_seconds},
                                   {"idle_wakeups", figures.idle_wakeups},
                                   {"idle_wakeups_60s", figures.idle_wakeups_60s},
                                   {"getall_us", figures.getall_us},
                                   {"getall_slowest_us", figures.getall_slowest_us},
                                   {"sim_sequence_ms", figures.sim_sequence_ms},
                                   {"sim_sequence_slowest_ms", figures.sim_sequence_slowest_ms},
                                   {"sim_sequence_disk_ms", figures.sim_sequence_disk_ms},
                                   {"real_start_and_idle", figures.real}};
    std::cout << answer.dump() << '\n';
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    bool json = false;
    unsigned starts = 11, idle = 60, runs = 50;
    CLI::App app("Measures what the daemon costs: its start, idle, and for each call.");
    app.add_flag("--json", json, "One JSON object instead of a table");
    app.add_option("--starts", starts, "Starts of the daemon")->check(CLI::Range(1U, 1000U))->capture_default_str();
    app.add_option("--idle", idle, "Seconds without a call")->check(CLI::Range(1U, 3600U))->capture_default_str();
    app.add_option("--runs", runs, "Simulated sequences")->check(CLI::Range(1U, 10000U))->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    std::string folder = "/tmp/quiesced-bench-XXXXXX", memory = "/dev/shm/quiesced-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr || ::mkdtemp(memory.data()) == nullptr) {
        std::perror("mkdtemp");
        return EXIT_FAILURE;
    }
    const quiesced::ScopeExit remove([&] {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
        std::filesystem::remove_all(memory, ignored);
    });
    try {
        quiesced::Figures figures;
        figures.real = ::geteuid() == 0;
        quiesced::Bench bench(folder, memory);
        bench.measure_start(starts, figures);
        bench.measure_calls(runs, figures);
        bench.measure_idle(idle, figures);
        json ? quiesced::print_json(figures) : quiesced::print_table(figures);
    } catch (const std::exception& error) {
        std::cerr << "bench-daemon: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
