// SPDX-License-Identifier: LGPL-2.1-or-later
// The benches run, and leave nothing behind. How long anything takes is not asked here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "base/child.h"
#include "native_main.h"

namespace quiesced {
namespace {

const std::string& work_folder() {
    static const std::string folder = [] {
        std::string pattern = testing::TempDir() + "quiesced-bench-test-XXXXXX";
        return std::string(::mkdtemp(pattern.data()) != nullptr ? pattern : "");
    }();
    return folder;
}

Result<ChildOutcome> run_window(std::vector<std::string> options) {
    std::vector<std::string> argv{BENCH_WINDOW_BUILT, "--folder", work_folder()};
    argv.insert(argv.end(), options.begin(), options.end());
    return run_child(argv, {.input = {}, .environment = {}, .limit = std::chrono::seconds(120), .output_limit = 1U << 20U});
}

TEST(BenchWindow, MeasuresEachContestantAndTheReleaseAfterAKill) {
    const auto outcome = run_window({"--mixed", "3", "--dirty", "1", "--sizes", "2", "--runs", "1", "--json"});
    ASSERT_TRUE(outcome) << outcome.error().message();
    if (outcome->errors.find("qemu-ga is not installed") != std::string::npos) GTEST_SKIP() << "missing: qemu-guest-agent";
    ASSERT_EQ(outcome->exit_status, 0) << outcome->errors;
    const auto json = nlohmann::json::parse(outcome->output, nullptr, false);
    ASSERT_TRUE(json.is_object()) << outcome->output;
    for (const auto* key : {"nothing_ms", "quiesced_ms", "unexpedited_ms", "qemu_ga_ms", "fsfreeze_ms", "kill_release_ms", "ratio"})
        EXPECT_GT(json.value(key, 0.0), 0) << key;
    EXPECT_EQ(json.value("file_systems", 0), 3);
    for (const auto* contestant : {"nothing", "quiesced", "unexpedited", "qemu_ga", "fsfreeze"})
        EXPECT_TRUE(json["scaling"][contestant].contains("at_2")) << contestant;
    EXPECT_GT(json["freezer_peak_rss_kib"].value("at_3", 0), 0);
}

TEST(BenchPlugin, MeasuresTheProtocolAndCommitsOfOneAndEightLuns) {
    const auto outcome = run_child({BENCH_PLUGIN_BUILT, "--runs", "1", "--work", "5", "--json"}, {.input = {}, .environment = {}, .limit = std::chrono::seconds(120), .output_limit = 1U << 20U});
    ASSERT_TRUE(outcome) << outcome.error().message();
    ASSERT_EQ(outcome->exit_status, 0) << outcome->errors;
    const auto json = nlohmann::json::parse(outcome->output, nullptr, false);
    ASSERT_TRUE(json.is_object()) << outcome->output;
    for (const auto* key : {"overhead_us", "commit_ms_1", "commit_ms_8", "array_ms_8", "ratio_8"}) EXPECT_GT(json.value(key, 0.0), 0) << key;
}

TEST(BenchDaemon, MeasuresItsStartItsCallsAndItsIdleTime) {
    const auto outcome = run_child({BENCH_DAEMON_BUILT, "--starts", "2", "--idle", "1", "--runs", "2", "--json"}, {.input = {}, .environment = {}, .limit = std::chrono::seconds(120), .output_limit = 1U << 20U});
    ASSERT_TRUE(outcome) << outcome.error().message();
    ASSERT_EQ(outcome->exit_status, 0) << outcome->errors;
    const auto json = nlohmann::json::parse(outcome->output, nullptr, false);
    ASSERT_TRUE(json.is_object()) << outcome->output;
    for (const auto* key : {"ready_ms", "idle_rss_mib", "getall_us", "sim_sequence_ms"}) EXPECT_GT(json.value(key, 0.0), 0) << key;
    EXPECT_GE(json.value("idle_wakeups_60s", -1.0), 0);
}

TEST(BenchWindow, ContestantsThatItDoesNotKnowAreRefused) {
    const auto outcome = run_window({"--contestants", "quiesced,sleep"});
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_NE(outcome->exit_status, 0);
    EXPECT_THAT(outcome->errors, testing::HasSubstr("sleep"));
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    quiesced::LeakCheck check;
    check.freezer = QUIESCED_FREEZER_BUILT;
    check.loop_backing = quiesced::work_folder();
    return quiesced::run_native_tests(argc, argv, std::move(check), quiesced::work_folder());
}
