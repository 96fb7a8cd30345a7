// SPDX-License-Identifier: LGPL-2.1-or-later
// bench-window: how long an application waits while several file systems are frozen together; see tests/bench/window.
#include <signal.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/file.h"
#include "base/scope_exit.h"
#include "bench/window.d/figures.h"
#include "bench/window.d/qemu_ga.h"
#include "bench/window.d/trial.h"

namespace quiesced::bench {
namespace {

constexpr const char* kDefaultFolder = "/dev/shm";
constexpr unsigned kMostFileSystems = 1024;

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler sets it");

struct Options {
    std::vector<unsigned> sizes{1, 4, 16, 64, 256};
    unsigned mixed = 16;
    unsigned runs = 5;
    unsigned period = 1;                           ///< ms between the writes of one writer
    unsigned mixed_dirty = 20, scaling_dirty = 1; ///< MiB
    std::vector<std::string> contestants{"nothing", "quiesced", "unexpedited", "qemu_ga", "fsfreeze"};
    std::string folder = kDefaultFolder;
    std::string freezer = QUIESCED_FREEZER_BUILT;
    std::string svg;
    bool json = false;
    bool verbose = false;
};

double load_now() {
    double load = 0;
    return ::getloadavg(&load, 1) == 1 ? load : 0;
}

void remove_tree(const std::string& folder) {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
}

/// All contestants over the same file systems, run by run, so that what else the machine does meets all of them.
class Bench {
public:
    Bench(Options options, std::string folder) : options_(std::move(options)), folder_(std::move(folder)) {}

    Result<Figures> run() {
        figures_.contestants = options_.contestants;
        figures_.runs = options_.runs;
        figures_.where = options_.folder;
        figures_.processors = std::thread::hardware_concurrency();
        utsname system{};
        ::uname(&system);
        // What follows the version names the machine's builder.
        figures_.kernel = std::string(system.release).substr(0, std::string(system.release).find('-'));
        figures_.load_before = load_now();
        figures_.mixed_count = options_.mixed;
        figures_.period = options_.period;
        figures_.mixed_dirty = options_.mixed_dirty;
        figures_.scaling_dirty = options_.scaling_dirty;
        if (options_.mixed > 0)
            if (auto done = run_mixed(); !done) return pass(done);
        if (!options_.sizes.empty())
            if (auto done = run_scaling(); !done) return pass(done);
        figures_.load_after = load_now();
        return figures_;
    }

private:
    using Samples = std::map<std::string, std::map<unsigned, std::vector<std::chrono::nanoseconds>>>;

    [[nodiscard]] bool wants(const std::string& name) const {
        return std::find(options_.contestants.begin(), options_.contestants.end(), name) != options_.contestants.end();
    }

    static Volumes view(const std::vector<std::unique_ptr<LoopVolume>>& volumes) {
        Volumes all;
        for (const auto& volume : volumes) all.push_back(volume.get());
        return all;
    }

    Result<std::vector<std::unique_ptr<Contestant>>> make_contestants(const Volumes& volumes) {
        std::vector<std::unique_ptr<Contestant>> contestants;
        for (const auto& name : options_.contestants) {
            if (name == "nothing") contestants.push_back(std::make_unique<NoContestant>());
            if (name == "fsfreeze") contestants.push_back(std::make_unique<FsfreezeContestant>());
            if (name == "quiesced" || name == "unexpedited")
                contestants.push_back(std::make_unique<QuiescedContestant>(options_.freezer, folder_, name == "quiesced"));
            if (name != "qemu_ga") continue;
            auto qemu_ga = QemuGaContestant::start(QemuGaContestant::find_program(), folder_, volumes);
            if (!qemu_ga) return pass(qemu_ga);
            contestants.push_back(std::move(*qemu_ga));
        }
        return contestants;
    }

    Result<void> measure(Contestant& contestant, const Volumes& volumes, unsigned dirty, Samples& samples) {
        if (stop_asked) return fail(ErrorKind::lost, "interrupted");
        if (auto made = make_dirty(volumes, dirty); !made) return made;
        const auto stall = measure_stall(contestant, volumes, std::chrono::milliseconds(options_.period));
        if (!stall) return tl::unexpected<Error>(stall.error());
        const auto count = static_cast<unsigned>(volumes.size());
        samples[contestant.name()][count].push_back(stall->stall.length());
        std::string more = ", " + stall->volume;
        if (const auto* quiesced = dynamic_cast<const QuiescedContestant*>(&contestant)) {
            auto& rss = figures_.freezer_rss_kib[count];
            rss = std::max(rss, quiesced->peak_rss_kib());
            const auto before = to_ms(std::chrono::nanoseconds(quiesced->window_started()) - stall->stall.started.time_since_epoch());
            more += ", begun " + std::to_string(before) + " ms before the window (" + quiesced->phases() + ")";
        }
        if (options_.verbose) std::cerr << count << ' ' << contestant.name() << ' ' << to_ms(stall->stall.length()) << " ms" << more << '\n';
        return {};
    }

    Result<void> run_mixed() {
        std::cerr << "making " << options_.mixed << " mixed file systems\n";
        const auto folder = folder_ + "/mixed";
        const ScopeExit remove([&folder] { remove_tree(folder); });
        if (auto made = make_directories(folder); !made) return made;
        const auto volumes = make_volumes(folder, {"ext4", "xfs", "btrfs"}, options_.mixed, 4 * options_.mixed_dirty + 128);
        if (!volumes) return tl::unexpected<Error>(volumes.error());
        const auto all = view(*volumes);
        Samples samples;
        {
            auto contestants = make_contestants(all);
            if (!contestants) return pass(contestants);
            for (unsigned run = 0; run < options_.runs; ++run) {
                std::cerr << "mixed, run " << run + 1 << " of " << options_.runs << '\n';
                for (auto& contestant : *contestants)
                    if (auto done = measure(*contestant, all, options_.mixed_dirty, samples); !done) return done;
            }
        }
        for (const auto& [name, sizes] : samples) figures_.mixed[name] = Spread::of(sizes.at(options_.mixed));
        if (!wants("quiesced")) return {};
        std::vector<std::chrono::nanoseconds> releases;
        for (unsigned run = 0; run < options_.runs; ++run) {
            if (stop_asked) return fail(ErrorKind::lost, "interrupted");
            if (auto made = make_dirty(all, options_.mixed_dirty); !made) return made;
            const auto release = measure_kill_release(options_.freezer, folder_, all);
            if (!release) return tl::unexpected<Error>(release.error());
            releases.push_back(*release);
        }
        figures_.kill_release = Spread::of(releases);
        return {};
    }

    Result<void> run_scaling() {
        const auto most = *std::max_element(options_.sizes.begin(), options_.sizes.end());
        std::cerr << "making " << most << " small file systems\n";
        const auto folder = folder_ + "/small";
        const ScopeExit remove([&folder] { remove_tree(folder); });
        if (auto made = make_directories(folder); !made) return made;
        const auto volumes = make_volumes(folder, {"ext4"}, most, options_.scaling_dirty + 63);
        if (!volumes) return tl::unexpected<Error>(volumes.error());
        const auto all = view(*volumes);
        auto contestants = make_contestants(all);
        if (!contestants) return pass(contestants);
        Samples samples;
        for (unsigned run = 0; run < options_.runs; ++run) {
            std::cerr << "small ext4, run " << run + 1 << " of " << options_.runs << '\n';
            for (const auto size : options_.sizes) {
                const Volumes some(all.begin(), all.begin() + size);
                for (auto& contestant : *contestants)
                    if (auto done = measure(*contestant, some, options_.scaling_dirty, samples); !done) return done;
            }
        }
        if (wants("quiesced"))
            if (auto done = run_quiet(all); !done) return done;
        for (const auto& [name, sizes] : samples)
            for (const auto& [size, stalls] : sizes) figures_.scaling[name][size] = Spread::of(stalls);
        return {};
    }

    Result<void> run_quiet(const Volumes& all) {
        QuiescedContestant contestant(options_.freezer, folder_, true);
        for (const auto size : options_.sizes) {
            const Volumes some(all.begin(), all.begin() + size);
            std::vector<std::chrono::nanoseconds> windows;
            for (unsigned run = 0; run < options_.runs; ++run) {
                if (stop_asked) return fail(ErrorKind::lost, "interrupted");
                if (auto made = make_dirty(some, options_.scaling_dirty); !made) return made;
                const auto window = measure_quiet_window(contestant, some);
                if (!window) return tl::unexpected<Error>(window.error());
                windows.push_back(*window);
                if (options_.verbose) std::cerr << size << " quiet " << to_ms(*window) << " ms (" << contestant.phases() << ")\n";
            }
            figures_.quiet[size] = Spread::of(windows);
        }
        return {};
    }

    Options options_;
    std::string folder_;
    Figures figures_;
};

Result<void> draw(const Figures& figures, const std::string& path) {
    const auto drawn = run_child({"gnuplot", "-"}, {.input = to_gnuplot(figures, path), .environment = {}, .limit = std::chrono::seconds(60),
                                                    .output_limit = 1U << 16U});
    if (!drawn) return tl::unexpected<Error>(drawn.error());
    if (drawn->exit_status != 0) return fail(ErrorKind::io, "gnuplot could not draw " + path + ": " + drawn->errors);
    return {};
}

int complain(const Error& error) {
    std::cerr << "bench-window: " << error.message() << '\n';
    return EXIT_FAILURE;
}

int run(Options options) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction action {};
        action.sa_handler = [](int) { stop_asked = true; };
        action.sa_flags = SA_RESTART;
        ::sigaction(number, &action, nullptr);
    }
    if (auto entered = enter_own_mount_namespace(); !entered) return complain(entered.error());
    auto folder = options.folder + "/quiesced-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return complain(fail_errno("cannot make a folder in " + options.folder).value());
    const ScopeExit remove([&folder] { remove_tree(folder); });
    const auto figures = Bench(options, folder).run();
    if (!figures) return complain(figures.error());
    (options.json ? std::cerr : std::cout) << to_table(*figures);
    if (options.json) std::cout << to_json(*figures).dump(2) << '\n';
    if (!options.svg.empty())
        if (auto drawn = draw(*figures, options.svg); !drawn) return complain(drawn.error());
    return EXIT_SUCCESS;
}

} // namespace
} // namespace quiesced::bench

int main(int argc, char** argv) {
    quiesced::bench::Options options;
    CLI::App app{"How long a writer to each of several file systems waits while all are frozen and thawed together: quiesced, quiesced without "
                 "expedited RCU, qemu-ga, and fsfreeze one by one. Freezes nothing but file systems on loop devices that it makes itself."};
    bool quick = false;
    app.add_option("--sizes", options.sizes, "Numbers of small ext4 file systems (default 1,4,16,64,256; 0: none)")->delimiter(',')
        ->check(CLI::Range(0U, quiesced::bench::kMostFileSystems));
    app.add_option("--mixed", options.mixed, "How many mixed file systems (default 16; 0: none)")->check(CLI::Range(0U, quiesced::bench::kMostFileSystems));
    app.add_option("--runs", options.runs, "How often each is measured (default 5)")->check(CLI::Range(1U, 1000U));
    app.add_option("--period", options.period, "ms from one write of a writer to its next (default 1)")->check(CLI::Range(1U, 1000U));
    app.add_option("--dirty", options.mixed_dirty, "MiB written to each mixed file system before (default 20)")->check(CLI::Range(0U, 100U));
    app.add_option("--contestants", options.contestants, "Some of nothing,quiesced,unexpedited,qemu_ga,fsfreeze (default: all)")->delimiter(',')
        ->check(CLI::IsMember(options.contestants));
    app.add_option("--folder", options.folder, "Where the loop devices' files lie (default /dev/shm, so that no disk is measured)")
        ->check(CLI::ExistingDirectory);
    app.add_option("--freezer", options.freezer, "The freezer's program")->check(CLI::ExistingFile);
    app.add_option("--svg", options.svg, "Draw a chart into this file with gnuplot");
    app.add_flag("--json", options.json, "Print one JSON object on standard output; the table goes to standard error");
    app.add_flag("--quick", quick, "Two runs over 4 mixed and 1 and 4 small file systems, where no number is given");
    app.add_flag("--verbose", options.verbose, "Tell each run");
    CLI11_PARSE(app, argc, argv);
    if (quick) {
        if (app.count("--sizes") == 0) options.sizes = {1, 4};
        if (app.count("--mixed") == 0) options.mixed = 4;
        if (app.count("--runs") == 0) options.runs = 2;
    }
    std::erase(options.sizes, 0U);
    if (std::ranges::count(options.contestants, "qemu_ga") != 0 && quiesced::bench::QemuGaContestant::find_program().empty()) {
        std::cerr << "bench-window: qemu-ga is not installed (Debian: qemu-guest-agent); or leave it out with --contestants\n";
        return EXIT_FAILURE;
    }
    return quiesced::bench::run(std::move(options));
}
