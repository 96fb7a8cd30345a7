// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced: takes consistent snapshot sets on request of its callers on D-Bus.
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <spdlog/spdlog.h>

#include "announcer.h"
#include "arrays/plugins.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/join.h"
#include "base/scope_exit.h"
#include "bus/bus.h"
#include "config.h"
#include "emergency.h"
#include "freeze/recovery.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "sequence/journal.h"
#include "sequence/set_manager.h"
#include "sim/simulated_guest.h"
#include "snapshot/dm_provider.h"
#include "snapshot/host_provider.h"
#include "snapshot/lvm_provider.h"
#include "writers/configured_writers.h"

namespace quiesced {
namespace {

/// Lets the freezer of a daemon that was lost a moment ago end its window by itself. One that is stuck in the kernel goes on.
void wait_for_freezers(const std::string& directory) {
    const auto until = Monotonic::now() + std::chrono::seconds(5);
    while (window_under_way(directory) && Monotonic::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(20)); // another life's processes: no event to wait for
}

/// Mends what an earlier life left frozen, suspended or primed. False when something is still not as it should be. `told`: what was
/// said before, when it is repeated. `all` gets what was done.
bool recover_windows(const std::string& directory, std::set<std::string>* told = nullptr, std::vector<Recovered>* all = nullptr) {
    if (told == nullptr) wait_for_freezers(directory);
    auto kernel = WindowKernel::linux();
    const auto recovered = recover(kernel, directory);
    if (!recovered) {
        spdlog::error("cannot look for windows that were left open: {}", recovered.error().message());
        return false;
    }
    bool clean = true;
    for (const auto& entry : *recovered) {
        clean = clean && entry.report.failed.empty();
        if (entry.journal)
            if (auto flushed = VarlinkJournal().flush(); !flushed)
                spdlog::warn("set {}: the journal stays in /run until journalctl --flush: {}", entry.set, flushed.error().message());
        // One that is tried again and again is told of when something changes.
        if (told != nullptr && entry.report.thawed.empty() && entry.report.resumed.empty() && entry.report.unprimed.empty() &&
            !told->insert(entry.set + joined(entry.report.failed)).second)
            continue;
        const auto say = [&](const char* what, const std::vector<std::string>& names) {
            if (!names.empty())
                log_event(Message::left_open, LogLevel::warning, {.set = entry.set, .volume = {}, .state = {}}, "set " + entry.set + " had been left open: " + what + " " + joined(names));
        };
        say("thawed", entry.report.thawed);
        say("resumed", entry.report.resumed);
        say("unprimed", entry.report.unprimed);
        for (const auto& failure : entry.report.failed)
            log_event(Message::not_mended, LogLevel::error, {.set = entry.set, .volume = {}, .state = {}}, "set " + entry.set + ": " + failure);
    }
    if (recovered->empty() && told == nullptr) spdlog::info("nothing was left frozen or suspended");
    if (all != nullptr) *all = *recovered;
    return clean;
}

/// In a unit of systemd, whose sandbox is not made for an admin's programs, these run outside of it.
Outside outside_of_unit() {
    static constexpr const char* runner = "/usr/bin/systemd-run";
    const bool unit = std::getenv("INVOCATION_ID") != nullptr; // NOLINT(concurrency-mt-unsafe): nobody changes it
    return Outside(unit && ::access(runner, X_OK) == 0 ? runner : "");
}

/// Thaws the writers of a daemon that was lost. False when one could not be.
bool recover_lost_writers(const std::string& directory) {
    const auto units = make_systemd_units();
    const auto recovered = recover_writers(directory, *units, outside_of_unit());
    if (!recovered) {
        spdlog::error("cannot look for writers that were left frozen: {}", recovered.error().message());
        return false;
    }
    bool clean = true;
    for (const auto& entry : *recovered) {
        if (!entry.thawed.empty())
            log_event(Message::left_open, LogLevel::warning, {.set = entry.set, .volume = {}, .state = {}}, "set " + entry.set + " had been left open: thawed the writers " + joined(entry.thawed));
        for (const auto& failure : entry.failed) spdlog::error("set {}: {}", entry.set, failure);
        clean = clean && entry.failed.empty();
    }
    return clean;
}

/// Goes on recovering beside the daemon's work while something of an earlier life is left: a thaw that the kernel had not finished,
/// the freezer of a lost daemon that still waits for its FIFREEZE.
class Recoverer {
public:
    explicit Recoverer(std::string directory) : directory_(std::move(directory)) {
        if (window_left(directory_)) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }

private:
    void run(const std::stop_token& stop) {
        std::set<std::string> told;
        std::mutex mutex;
        std::condition_variable_any ending;
        do {
            std::unique_lock lock(mutex);
            // Another life's processes: there is no event to wait for.
            ending.wait_for(lock, stop, std::chrono::seconds(2), [] { return false; });
            if (!stop.stop_requested()) recover_windows(directory_, &told);
        } while (!stop.stop_requested() && window_left(directory_));
    }

    std::string directory_;
    std::jthread thread_;
};

SetManager::Providers make_providers(const Plugins& plugins, const std::shared_ptr<DmProvider>& dm) {
    return [&plugins, dm, lvm = std::make_shared<LvmProvider>(), host = std::make_shared<HostProvider>()] {
        auto providers = plugins.providers();
        providers.push_back(lvm);
        providers.push_back(dm);
        providers.push_back(host);
        return providers;
    };
}

/// What the metrics have of the sets.
void read_sets(const SetManager& manager, MetricsSample& sample) {
    for (const auto& set : manager.sets()) {
        const auto manifest = set->describe();
        const auto state = set->state();
        ++sample.sets.at(static_cast<std::size_t>(state));
        sample.stuck += manifest.stuck.size();
        if (state != State::complete) continue;
        if (manifest.consistency == kLost) ++sample.lost;
        // They are sorted by age, and an id begins with the time when the set was made.
        sample.last_set = std::stoull(set->id().text().substr(0, 8), nullptr, 16);
        if (manifest.window_ms) sample.window_seconds = *manifest.window_ms / 1000;
    }
}

/// Everything is thawed and undone when this returns; all sets side by side.
void abort_all(const SetManager& manager) {
    std::vector<std::future<void>> ends;
    for (const auto& set : manager.sets()) {
        if (is_final(set->state())) continue;
        auto end = std::make_shared<std::promise<void>>();
        ends.push_back(end->get_future());
        set->post(Step::abort, [end](const Result<void>&) { end->set_value(); });
    }
    for (const auto& end : ends) end.wait();
}

/// What a reload changes, too.
void apply(const Settings& settings, const DaemonOptions& daemon, SetManagerOptions& options) {
    options.environment.flush_bound = settings.flush_bound;
    WriterSettings writers{.hooks_directory = settings.hooks_directory, .writers_directory = settings.writers_directory, .record_directory = daemon.run_directory};
    writers.limit = settings.script_limit;
    writers.units = make_systemd_units();
    writers.outside = outside_of_unit();
    // A simulated guest has no applications but those that are simulated, too.
    if (daemon.simulated) {
        writers.hooks_directory = daemon.run_directory + "/hooks.d";
        writers.writers_directory = daemon.run_directory + "/writers.d";
    }
    options.environment.make_writers = [writers] { return make_configured_writers(writers); };
    options.most_unfinished = settings.most_unfinished;
    options.most_of_a_caller = settings.most_of_a_caller;
    options.extend_at = static_cast<unsigned>(settings.extend_at);
    options.extend_by = static_cast<unsigned>(settings.extend_by);
    options.defaults.wishes.store.chunk = Bytes{settings.chunk_size};
    options.defaults.deadline = settings.deadline;
    options.defaults.member_limit = settings.member_limit;
    options.defaults.prepare_limit = settings.prepare_limit;
    options.defaults.relinquish_journal = settings.relinquish_journal;
}

/// Takes the configuration anew; as a whole, or not at all. Any thread.
class Reloader {
public:
    Reloader(CommandLine line, const DaemonOptions& options, std::shared_ptr<DmProvider> dm)
        : line_(line), options_(options), dm_(std::move(dm)), settings_(options.settings) {}

    /// From when there is a manager.
    void attach(SetManager& manager) {
        const std::lock_guard lock(mutex_);
        manager_ = &manager;
    }
    Result<void> reload() {
        auto done = try_reload();
        if (!done) log_event(Message::not_reloaded, LogLevel::warning, {}, "the configuration stays as it was: " + done.error().message());
        return done;
    }

private:
    Result<void> try_reload() {
        const std::lock_guard lock(mutex_);
        if (manager_ == nullptr) return fail(ErrorKind::busy, "quiesced is starting", "Try again in a moment.");
        const auto fresh = reread_settings(line_.count, line_.words, options_);
        if (!fresh) return tl::unexpected<Error>(fresh.error());
        auto changed = manager_->reconfigure([&](SetManagerOptions& options) {
            apply(*fresh, options_, options);
            dm_->set_store_group(fresh->store_group);
        });
        if (!changed) return changed;
        spdlog::default_logger()->set_level(spdlog::level::from_str(fresh->log_level));
        const bool later = fresh->state_directory != settings_.state_directory || fresh->plugin_directory != settings_.plugin_directory ||
                           fresh->keep_failed != settings_.keep_failed;
        log_event(Message::reloaded, LogLevel::info, {},
                  std::string("the configuration is reloaded") + (later ? "; state_directory, plugin_directory and keep_failed change with the next start" : ""));
        return {};
    }

    const CommandLine line_;
    const DaemonOptions& options_;
    const std::shared_ptr<DmProvider> dm_;
    std::mutex mutex_;
    Settings settings_; ///< of the start
    SetManager* manager_ = nullptr;
};

int serve(CommandLine line, const DaemonOptions& options, Log& log, const sigset_t& signals) {
    const auto give_up = [](const Error& error) {
        spdlog::critical("{}", error.message());
        return EXIT_FAILURE;
    };
    if (auto made = make_directories(options.run_directory, 0755); !made) return give_up(made.error());
    std::unique_ptr<SimulatedGuest> simulated;
    std::optional<Recoverer> recoverer;
    if (options.simulated) {
        auto guest = SimulatedGuest::make();
        if (!guest) return give_up(guest.error());
        simulated = std::move(*guest);
        spdlog::warn("this is a simulation: nothing is frozen, and no snapshot is taken");
    } else {
        // What could not be mended is logged; sets of other volumes are possible all the same.
        recover_windows(options.run_directory);
        recover_lost_writers(options.run_directory);
        recoverer.emplace(options.run_directory);
    }

    const std::string version = QUIESCED_VERSION + std::string(simulated ? "+simulated" : "");
    const auto dm = std::make_shared<DmProvider>();
    dm->set_store_group(options.settings.store_group);
    Reloader reloader(line, options, dm);
    auto bus = Bus::connect({.bus = options.bus, .version = version, .keep_failed = options.settings.keep_failed, .reload = [&reloader] { return reloader.reload(); }});
    if (!bus) return give_up(bus.error());
    Metrics metrics(options.run_directory, version);
    Announcer announcer(**bus, log, metrics);
    ManifestStore store(options.settings.state_directory + "/sets");
    SetManagerOptions manager_options;
    auto& environment = manager_options.environment;
    environment.make_launcher = [freezer = options.freezer] { return std::make_unique<ProcessLauncher>(freezer); };
    environment.make_kernel = [] { return WindowKernel::linux(); };
    environment.journal = std::make_shared<VarlinkJournal>();
    environment.store = &store;
    environment.record_directory = options.run_directory;
    apply(options.settings, options, manager_options);
    manager_options.verdicts = std::make_shared<PlacementVerdicts>(options.run_directory);
    if (auto known = manager_options.verdicts->load(); !known) spdlog::warn("{}", known.error().message());
    if (simulated) {
        simulated->replace(manager_options);
    } else {
        auto watch = make_change_watch();
        if (!watch) spdlog::warn("changes of volumes cannot be followed, so they are read at each use: {}", watch.error().message());
        manager_options.inventory = std::make_shared<InventoryCache>(SystemPaths{}, watch ? std::move(*watch) : nullptr);
    }
    PluginSettings plugin_settings;
    // A simulation never asks a real plugin.
    plugin_settings.directory = simulated ? options.run_directory + "/plugins" : options.settings.plugin_directory;
    const Plugins plugins(plugin_settings);
    SetManager manager(manager_options, simulated ? simulated->providers() : make_providers(plugins, dm), announcer);
    if (!simulated) {
        if (auto events = make_dm_events()) manager.watch_space(std::move(*events));
        else spdlog::warn("the space of snapshots is not watched: {}", events.error().message());
    }
    log.hold_while([&manager] { return manager.in_window(); });
    const ScopeExit release([&] {
        log.hold_while({});
        metrics.finish();
    });
    metrics.attach({.read = [&manager](MetricsSample& sample) { read_sets(manager, sample); }, .in_window = [&manager] { return manager.in_window(); }});
    if (auto loaded = manager.load(); !loaded) return give_up(loaded.error());

    std::atomic<bool> bus_lost = false;
    const auto on_lost = [&bus_lost](const std::string& what) {
        spdlog::critical("{}", what);
        bus_lost = true;
        ::kill(::getpid(), SIGTERM);
    };
    reloader.attach(manager);
    if (auto serving = (*bus)->serve(manager, plugins, on_lost); !serving) return give_up(serving.error());
    log_event(Message::ready, LogLevel::info, {},
              "quiesced " + version + " is ready on the " + options.bus + " bus, " + std::to_string(manager.sets().size()) + " sets on disk");
    ::sd_notify(0, "READY=1\nSTATUS=No set is being taken.");

    for (int number = SIGHUP; number == SIGHUP;)
        if (::sigwait(&signals, &number); number == SIGHUP) static_cast<void>(reloader.reload()); // which says how it went
    ::sd_notify(0, "STOPPING=1\nSTATUS=Thawing and undoing unfinished sets.");
    spdlog::info("stopping");
    abort_all(manager);
    (*bus)->stop();
    return bus_lost ? EXIT_FAILURE : EXIT_SUCCESS;
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    if (std::find(argv, argv + argc, std::string_view("--emergency")) != argv + argc) quiesced::lock_in_memory();
    quiesced::DaemonOptions options;
    if (const int status = quiesced::read_options(argc, argv, options); status >= 0) return status;
    if (options.emergency) return quiesced::thaw_in_emergency(options.run_directory);

    // Before any thread begins: all of them leave these signals to sigwait().
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, number);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);

    quiesced::Log log(spdlog::level::from_str(options.settings.log_level));
    if (options.recover) {
        std::vector<quiesced::Recovered> recovered;
        const bool windows = quiesced::recover_windows(options.run_directory, nullptr, &recovered);
        const bool writers = quiesced::recover_lost_writers(options.run_directory);
        quiesced::await_thaws(recovered);
        return windows && writers ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return quiesced::serve({argc, argv}, options, log, signals);
}
