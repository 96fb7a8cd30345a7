// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/timeline_chart.h"

#include <sstream>
#include <vector>

#include <gtest/gtest.h>

namespace quiesced {
namespace {

ManifestView sample() {
    ManifestView set;
    set.window_ms = 10;
    set.timeline = {{"arm", -90, 60}, {"flush", -20, 15}, {"commit exec", 2, 6}, {"finish", 10, 100}};
    MemberView member;
    member.volume = "/mnt/a";
    member.freeze_ms = 2;
    member.frozen_at_ms = 2;
    member.hold_ms = 6;
    member.thaw_ms = 2;
    set.members = {member};
    return set;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::string line_with(const std::string& text, const std::string& start) {
    for (const auto& line : lines_of(text))
        if (line.starts_with(start)) return line;
    return {};
}

TEST(TimelineChart, StepsStandAtTheirTimesWithTheWindowMarked) {
    // 50 columns for 200 ms, 4 ms each: the window's 10 ms from 90 on are columns 22 to 25.
    const auto text = render_timeline(sample(), 81);
    EXPECT_EQ(line_with(text, "SEQUENCE"), "SEQUENCE             -90.0 ms                                    110 ms");
    EXPECT_EQ(line_with(text, "arm"), "arm                  ################      |  |                           60.0 ms");
    EXPECT_EQ(line_with(text, "finish"), "finish                                     |  #########################    100 ms")
        << "a step covers the mark of the window's end";
}

TEST(TimelineChart, TheWindowIsEnlargedByItself) {
    const auto text = render_timeline(sample(), 81);
    EXPECT_EQ(line_with(text, "WINDOW"), "WINDOW               0 ms                                       10.0 ms");
    EXPECT_EQ(line_with(text, "/mnt/a"), "/mnt/a               >>>>>>>>>>===============================<<<<<<<<<   6.00 ms");
}

TEST(TimelineChart, OnlyWhatLiesInTheWindowIsDrawnIntoIt) {
    const auto text = render_timeline(sample());
    const auto window = text.substr(text.find("WINDOW"));
    EXPECT_NE(window.find("commit exec"), std::string::npos);
    EXPECT_EQ(window.find("finish"), std::string::npos);
    EXPECT_EQ(window.find("arm"), std::string::npos);
}

TEST(TimelineChart, NoLineIsWiderThanTheScreen) {
    auto set = sample();
    set.members.front().volume = "/a/mount/point/with/a/name/that/has/no/end/at/all";
    set.timeline.push_back({"a step of a plugin that has a very long name", -12345.678, 99999});
    for (const auto& line : lines_of(render_timeline(set))) EXPECT_LE(text_width(line), kScreenWidth) << line;
}

TEST(TimelineChart, AStepThatTookNoTimeIsSeen) {
    auto set = sample();
    set.timeline.push_back({"thaw", 9.9999, 0});
    EXPECT_NE(line_with(render_timeline(set), "thaw").find('#'), std::string::npos);
}

TEST(TimelineChart, ASetWithoutTimesHasNone) { EXPECT_EQ(render_timeline({}), ""); }

TEST(TimelineChart, ASetThatNeverFrozeShowsItsStepsOnly) {
    auto set = sample();
    set.window_ms.reset();
    const auto text = render_timeline(set);
    EXPECT_NE(text.find("arm"), std::string::npos);
    EXPECT_EQ(text.find("WINDOW"), std::string::npos);
    EXPECT_EQ(text.find('|'), std::string::npos);
}

} // namespace
} // namespace quiesced
