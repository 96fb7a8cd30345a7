// SPDX-License-Identifier: LGPL-2.1-or-later
#include "metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/file.h"

namespace quiesced {
namespace {

using testing::HasSubstr;
using testing::Not;

MetricsSample full_sample() {
    MetricsSample sample;
    sample.version = "1.0";
    sample.sets[static_cast<std::size_t>(State::complete)] = 2;
    sample.taken = 3;
    sample.failed = 1;
    sample.stuck = 1;
    sample.lost = 1;
    sample.window_seconds = 0.0125;
    sample.last_set = 1764000000;
    sample.fills[*SetId::parse("6560000000000001")] = {{.volume = "/srv/\"a\"\\\n\xff", .kind = "store", .name = "vg/data-q1", .percent = 42.5, .lost = {}},
                                                        {.volume = "/srv/b", .kind = "pool-data", .name = "vg/pool", .percent = 1, .lost = {}},
                                                        {.volume = "/srv/b", .kind = "pool-data", .name = "vg/pool", .percent = 1, .lost = {}}};
    return sample;
}

/// What of OpenMetrics 1.0 a text breaks; empty: nothing. Written from the specification, not from the code.
std::string fault_of(const std::string& text) {
    static const std::regex meta(R"(# (TYPE|UNIT|HELP) ([a-z_:][a-z0-9_:]*) (.+))");
    static const std::regex line_form(R"(([a-z_:][a-z0-9_:]*)(\{([a-z_]+="([^"\\\n]|\\[\\"n])*"(,[a-z_]+="([^"\\\n]|\\[\\"n])*")*)\})? ([-+]?[0-9.]+(e[-+]?[0-9]+)?))");
    std::map<std::string, std::string> types;
    std::set<std::string> samples;
    std::string family;
    std::istringstream lines(text);
    std::string last;
    for (std::string line; std::getline(lines, line); last = line) {
        if (last == "# EOF") return "something comes after # EOF";
        if (line == "# EOF") continue;
        std::smatch parts;
        if (line.starts_with("#")) {
            if (!std::regex_match(line, parts, meta)) return "no metadata: " + line;
            const auto name = parts[2].str();
            if (parts[1] == "TYPE") {
                if (types.contains(name)) return "a family twice: " + name;
                types[name] = parts[3];
                family = name;
            } else if (name != family) {
                return "metadata out of its family: " + line;
            }
            if (parts[1] == "UNIT" && !name.ends_with("_" + parts[3].str())) return "the name lacks its unit: " + line;
            continue;
        }
        if (!std::regex_match(line, parts, line_form)) return "no sample: " + line;
        const auto& type = types[family];
        const auto wanted = family + (type == "counter" ? "_total" : type == "info" ? "_info" : "");
        if (parts[1] != wanted) return "a sample that is not of the family before it: " + line;
        if (!samples.insert(line.substr(0, line.rfind(' '))).second) return "the same sample twice: " + line;
    }
    if (last != "# EOF") return "no # EOF";
    return text.ends_with("# EOF\n") ? "" : "no line break at the end";
}

TEST(Metrics, AreOpenMetrics) {
    EXPECT_EQ(fault_of(render_metrics(full_sample())), "");
    EXPECT_EQ(fault_of(render_metrics({})), "");
}

TEST(Metrics, TheTestsParserFindsWhatIsWrong) {
    EXPECT_NE(fault_of("# TYPE a gauge\na 1\n"), "");
    EXPECT_NE(fault_of("# TYPE a counter\na 1\n# EOF\n"), "");
    EXPECT_NE(fault_of("# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n"), "");
    EXPECT_NE(fault_of("# TYPE a gauge\na{b=\"c\"d\"} 1\n# EOF\n"), "");
    EXPECT_NE(fault_of("# TYPE a gauge\na 1\na 2\n# EOF\n"), "");
    EXPECT_EQ(fault_of("# TYPE a gauge\na 1\n# EOF\n"), "");
}

TEST(Metrics, SayHowManySetsAreInWhichState) {
    const auto text = render_metrics(full_sample());
    for (const auto* line : {"quiesced_sets{state=\"complete\"} 2\n", "quiesced_sets{state=\"frozen\"} 0\n", "quiesced_sets_taken_total 3\n", "quiesced_sets_failed_total 1\n",
                             "quiesced_stuck_volumes 1\n", "quiesced_lost_sets 1\n", "quiesced_window_seconds 0.0125\n", "quiesced_last_set_timestamp_seconds 1764000000\n",
                             "kind=\"store\",name=\"vg/data-q1\"} 0.425\n", "quiesced_build_info{version=\"1.0\"} 1\n"})
        EXPECT_THAT(text, HasSubstr(line));
}

TEST(Metrics, WhatIsNotKnownIsNotThere) {
    const auto text = render_metrics({});
    EXPECT_THAT(text, Not(HasSubstr("window_seconds")));
    EXPECT_THAT(text, Not(HasSubstr("timestamp")));
    EXPECT_THAT(text, Not(HasSubstr("fill")));
}

class MetricsFile : public testing::Test {
protected:
    MetricsFile() { std::filesystem::create_directories(folder_); }
    ~MetricsFile() override { std::filesystem::remove_all(folder_); }
    void attach(Metrics& metrics) {
        metrics.attach({.read = [this](MetricsSample& sample) { sample.stuck = stuck_; }, .in_window = [this] { return in_window_.load(); }});
    }
    ino_t file() {
        struct stat status {};
        return ::stat((folder_ + "/metrics.prom").c_str(), &status) == 0 ? status.st_ino : 0;
    }
    std::string folder_ = (std::filesystem::temp_directory_path() / ("quiesced-metrics-" + std::to_string(::getpid()))).string();
    std::atomic<bool> in_window_{false};
    std::atomic<std::uint64_t> stuck_{0};
};

TEST_F(MetricsFile, IsWrittenAnewOnlyWhenSomethingInItHasChanged) {
    Metrics metrics(folder_, "1.0");
    attach(metrics);
    metrics.changed();
    for (int i = 0; i < 2000 && file() == 0; ++i) ::usleep(1000);
    const auto first = file();
    ASSERT_NE(first, 0U);
    // Kept from being given to the next file.
    std::filesystem::create_hard_link(folder_ + "/metrics.prom", folder_ + "/kept");
    metrics.changed();
    metrics.finish();
    EXPECT_EQ(file(), first);
    Metrics next(folder_, "1.0");
    stuck_ = 1;
    attach(next);
    next.finish();
    EXPECT_NE(file(), first);
    EXPECT_THAT(*read_file(folder_ + "/metrics.prom"), HasSubstr("quiesced_stuck_volumes 1\n"));
    struct stat status {};
    ASSERT_EQ(::stat((folder_ + "/metrics.prom").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0644U);
}

TEST_F(MetricsFile, IsNotWrittenWhileSomethingIsFrozen) {
    in_window_ = true;
    Metrics metrics(folder_, "1.0");
    attach(metrics);
    metrics.state_changed(*SetId::parse("6560000000000001"), State::frozen);
    metrics.finish();
    EXPECT_EQ(file(), 0U);
}

TEST_F(MetricsFile, CountsWhatEndsAndHow) {
    {
        Metrics metrics(folder_, "1.0");
        attach(metrics);
        for (const auto state : {State::complete, State::complete, State::failed, State::thawed}) metrics.state_changed(*SetId::parse("6560000000000001"), state);
        metrics.finish();
    }
    const auto text = *read_file(folder_ + "/metrics.prom");
    EXPECT_THAT(text, HasSubstr("quiesced_sets_taken_total 2\n"));
    EXPECT_THAT(text, HasSubstr("quiesced_sets_failed_total 1\n"));
}

} // namespace
} // namespace quiesced
