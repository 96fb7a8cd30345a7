// SPDX-License-Identifier: LGPL-2.1-or-later
// What a commit costs: the protocol alone, and a whole one of 1 and 8 LUNs by the plugin targetd on a simulated array.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>

#include <CLI/CLI.hpp>

#include "base/ids.h"
#include "bench/plugin.d/stage.h"
#include "plugins/sdk/plugin.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

double us(Monotonic::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

/// A plugin of the SDK that has nothing to do, in a process of its own; the other end of its connection.
Result<UniqueFd> start_idle_plugin(pid_t& child) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno("socketpair");
    UniqueFd ours(ends[0]);
    const UniqueFd theirs(ends[1]);
    child = ::fork();
    if (child < 0) return fail_errno("fork");
    if (child == 0) {
        ours.reset();
        ::_exit(serve({{"commit", [](const Json& params) -> Answer { return params.at("disks").empty() ? refuse(FailureKind::internal, "none") : Answer(Json::object()); }}},
                      theirs.get(), theirs.get()));
    }
    return ours;
}

/// Microseconds of one message with 8 LUNs and its answer: made before, sent, read, parsed, answered, read, parsed.
Result<double> measure_overhead(const Json& disks, int runs) {
    pid_t child = -1;
    auto socket = start_idle_plugin(child);
    if (!socket) return tl::unexpected<Error>(socket.error());
    std::vector<double> times;
    {
        PluginConnection connection("idle", std::move(*socket));
        for (int i = 0; i < runs * 50; ++i) {
            const auto request = connection.request("commit", {{"set", "0123456789abcdef"}, {"disks", disks}});
            if (!request) return tl::unexpected<Error>(request.error());
            const auto start = Monotonic::now();
            const auto result = connection.call(*request, start + std::chrono::seconds(5));
            times.push_back(us(Monotonic::now() - start));
            if (!result) return tl::unexpected<Error>(result.error());
        }
    }
    ::waitpid(child, nullptr, 0);
    return median(std::move(times));
}

struct Commits {
    double commit_ms = 0;  ///< median
    double slowest_ms = 0; ///< of the array's own work on one vol_copy of a commit; median
};

Result<Commits> measure_commits(Stage& stage, int luns, int runs) {
    std::vector<double> commits;
    std::vector<double> slowest;
    for (int i = 0; i < runs; ++i) {
        auto connection = stage.connect();
        if (!connection) return tl::unexpected<Error>(connection.error());
        const Json params{{"set", SetId::generate().value().text()}, {"disks", stage.disks(luns)}};
        if (auto described = connection->describe(milliseconds(5000)); !described) return tl::unexpected<Error>(described.error());
        if (auto prepared = connection->call("prepare", params, milliseconds(20000)); !prepared) return tl::unexpected<Error>(prepared.error());
        const auto request = connection->request("commit", params);
        if (!request) return tl::unexpected<Error>(request.error());
        stage.take_work_ms();
        const auto start = Monotonic::now();
        const auto done = connection->call(*request, start + milliseconds(5000));
        commits.push_back(us(Monotonic::now() - start) / 1000);
        if (!done) return tl::unexpected<Error>(done.error());
        const auto work = stage.take_work_ms();
        if (work.size() != static_cast<std::size_t>(luns)) return fail(ErrorKind::internal, "the array noted " + std::to_string(work.size()) + " cuts of " + std::to_string(luns));
        slowest.push_back(*std::max_element(work.begin(), work.end()));
        if (auto gone = connection->call("abort", params, milliseconds(20000)); !gone) return tl::unexpected<Error>(gone.error());
    }
    return Commits{.commit_ms = median(std::move(commits)), .slowest_ms = median(std::move(slowest))};
}

void print(const Json& figures) {
    const auto at = [&](const char* key) { return figures[key].get<double>(); };
    std::cout << "one message of 8 LUNs and its answer: " << at("overhead_us") << " us\n";
    for (const auto* luns : {"1", "8"}) {
        const std::string end = luns;
        const auto commit = at(("commit_ms_" + end).c_str());
        std::cout << "commit of " << end << " LUNs: " << commit << " ms, of it the array " << at(("array_ms_" + end).c_str()) << " ms, ours "
                  << at("overhead_us") / 1000 << " ms, the wire " << at(("wire_ms_" + end).c_str()) << " ms\n";
    }
    std::cout << "8 LUNs take " << at("ratio_8") << " times what the array's slowest cut of them does\n";
}

int run(bool json, int runs, milliseconds work) {
    const auto give_up = [](const Error& error) {
        std::cerr << "bench-plugin: " << error.message() << "\n";
        return 1;
    };
    constexpr int kLuns = 8;
    auto stage = Stage::make(kLuns, work);
    if (!stage) return give_up(stage.error());
    const auto overhead = measure_overhead((*stage)->disks(kLuns), runs);
    if (!overhead) return give_up(overhead.error());
    Json figures{{"overhead_us", *overhead}, {"work_ms", work.count()}, {"runs", runs}};
    for (const int luns : {1, kLuns}) {
        const auto measured = measure_commits(**stage, luns, runs);
        if (!measured) return give_up(measured.error());
        const auto end = std::to_string(luns);
        figures["commit_ms_" + end] = measured->commit_ms;
        figures["array_ms_" + end] = measured->slowest_ms;
        figures["wire_ms_" + end] = std::max(0.0, measured->commit_ms - measured->slowest_ms - *overhead / 1000);
        figures["ratio_" + end] = measured->commit_ms / std::max(0.001, measured->slowest_ms);
    }
    if (json) std::cout << figures.dump(2) << "\n";
    else print(figures);
    return 0;
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    bool json = false;
    int runs = 21;
    int work_ms = 50;
    CLI::App app("Measures what a plugin's commit costs.", "bench-plugin");
    app.add_flag("--json", json, "figures as JSON");
    app.add_option("--runs", runs, "commits of each size")->check(CLI::Range(1, 1000))->capture_default_str();
    app.add_option("--work", work_ms, "how long the simulated array takes for a cut, ms")->check(CLI::Range(0, 2000))->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    return quiesced::run(json, runs, std::chrono::milliseconds(work_ms));
}
