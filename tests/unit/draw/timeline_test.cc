// SPDX-License-Identifier: LGPL-2.1-or-later
#include "draw/timeline.h"

#include <gmock/gmock.h>

#include "draw/scale.h"
#include "svg_parse.h"
#include "view/text.h"

namespace quiesced {
namespace {

using testing::Contains;
using testing::HasSubstr;

ManifestView sample(std::size_t members = 1) {
    ManifestView set;
    set.id = "6560aabb00112233";
    set.state = "complete";
    set.window_ms = 10;
    set.timeline = {{"arm", -90, 60}, {"flush", -20, 15}, {"commit exec", 2, 6}, {"thaw", 8, 2}, {"finish", 10, 100}};
    for (std::size_t i = 0; i < members; ++i) {
        MemberView member;
        member.volume = "/mnt/" + std::to_string(i);
        member.placement = "lun";
        member.flush_ms = 5;
        member.freeze_ms = 2;
        member.frozen_at_ms = 2;
        member.hold_ms = 6;
        member.thaw_ms = 2;
        set.members.push_back(member);
    }
    return set;
}

class TimelineDrawing : public testing::Test {
protected:
    TimelineDrawing() { use_utf8(); }
    static pugi::xml_node bar(const pugi::xml_document& document, const std::string& kind, const std::string& within = "//") {
        return document.select_node((within + "rect[@class='" + kind + "']").c_str()).node();
    }
};

TEST_F(TimelineDrawing, BarsFollowOneAnotherAsTheTimesDo) {
    const auto document = parse_svg(draw_timeline(sample()));
    const auto freeze = bar(document, "freeze");
    const auto hold = bar(document, "hold");
    const auto thaw = bar(document, "thaw");
    EXPECT_NEAR(number(freeze, "x") + number(freeze, "width"), number(hold, "x"), 0.02);
    EXPECT_NEAR(number(hold, "x") + number(hold, "width"), number(thaw, "x"), 0.02);
    EXPECT_NEAR(number(hold, "width"), 3 * number(freeze, "width"), 0.05) << "6 ms and 2 ms";
    EXPECT_LT(number(bar(document, "flush"), "x"), number(freeze, "x"));
    const auto cut = bar(document, "cut");
    EXPECT_NEAR(number(cut, "x"), number(hold, "x"), 0.02) << "2 ms after the start of the window";
    EXPECT_NEAR(number(cut, "width"), number(hold, "width"), 0.05);
    EXPECT_EQ(document.select_nodes("//line[@class='cut-instant']").size(), 2U) << "where it began and ended";
    EXPECT_TRUE(document.select_node("//rect[@id='window-mark']"));
}

TEST_F(TimelineDrawing, TextsAreTextsAndBarsSayWhatTheyAre) {
    const auto document = parse_svg(draw_timeline(sample()));
    EXPECT_THAT(words_of(document), Contains("/mnt/0"));
    EXPECT_THAT(words_of(document), Contains("commit exec"));
    EXPECT_THAT(words_of(document), Contains("6.00 ms"));
    EXPECT_THAT(words_of(document, "title"), Contains("Timeline of snapshot set 6560aabb00112233"));
    EXPECT_THAT(words_of(document, "title"), Contains("/mnt/0: held, 6.00 ms, from 2.00 ms to 8.00 ms"));
    EXPECT_TRUE(document.select_node("//g[@id='member-1']"));
}

TEST_F(TimelineDrawing, NamesOfAnyBytesMakeSoundXml) {
    auto set = sample();
    set.members.front().volume = "/a<b>&\"'\x01\x1b\n\xff\u0085]]>";
    set.members.front().error = "no <room> & \x02";
    set.members.front().placement = "\x03\"<";
    set.id = "<&>";
    set.timeline.push_back({"commit <&\x04\uffff", 1, 1});
    const auto document = parse_svg(draw_timeline(set));
    EXPECT_THAT(words_of(document), Contains(HasSubstr("/a<b>&\"'\\x01\\x1b\\x0a\\xff\\xc2\\x85")));
    EXPECT_THAT(words_of(document), Contains(HasSubstr("no <room> & \\x02")));
}

TEST_F(TimelineDrawing, EveryCharacterMakesSoundXml) {
    std::string all;
    for (char32_t c = 1; c < 0x110000; ++c) {
        if (c > 0x11000 && c % 0x10000 < 0xFFF0) continue; // and the ends of the other planes
        const auto byte = [](char32_t bits) { return static_cast<char>(static_cast<unsigned char>(bits)); };
        if (c < 0x80) {
            all += byte(c);
        } else if (c < 0x800) {
            all += {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
        } else if (c < 0x10000) { // surrogates among them, which are no UTF-8
            all += {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
        } else {
            all += {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
        }
    }
    auto set = sample();
    set.created = all;
    parse_svg(draw_timeline(set));
}

TEST_F(TimelineDrawing, TwoHundredAndFiftySixMembersHaveARowEachThatNoOtherTouches) {
    const auto document = parse_svg(draw_timeline(sample(256)));
    double before = 0;
    const auto bars = document.select_nodes("//rect[@class='hold']");
    EXPECT_EQ(bars.size(), 256U);
    for (const auto& bar : bars) {
        EXPECT_GT(number(bar.node(), "y"), before);
        before = number(bar.node(), "y") + number(bar.node(), "height");
    }
    EXPECT_LT(before, number(document.document_element(), "height"));
}

TEST_F(TimelineDrawing, EverythingLiesInsideOfThePicture) {
    auto set = sample(3);
    set.timeline.push_back({"a step of a plugin that has a very long name and then some more of it", -12345.678, 99999});
    set.members[0].hold_ms = 1e9;
    set.members[1].volume = std::string(300, 'x');
    const auto document = parse_svg(draw_timeline(set));
    for (const auto& found : document.select_nodes("//rect")) {
        EXPECT_GE(number(found.node(), "x"), 0);
        EXPECT_LE(number(found.node(), "x") + number(found.node(), "width"), number(document.document_element(), "width") + 0.1);
        EXPECT_LE(number(found.node(), "y") + number(found.node(), "height"), number(document.document_element(), "height") + 0.1);
    }
}

TEST_F(TimelineDrawing, WhatHasNoTimesIsSaid) {
    EXPECT_THAT(words_of(parse_svg(draw_timeline({}))), Contains("This set has no times yet."));
    auto set = sample();
    set.window_ms.reset();
    EXPECT_FALSE(parse_svg(draw_timeline(set)).select_node("//g[@id='window']"));
    set = sample();
    set.members.front().frozen_at_ms.reset();
    set.members.front().flush_ms.reset();
    EXPECT_FALSE(bar(parse_svg(draw_timeline(set)), "hold"));
}

TEST_F(TimelineDrawing, AFailureIsWrittenOut) {
    auto set = sample();
    set.state = "failed";
    set.error = "the deadline passed";
    set.stuck = {"/mnt/0"};
    const auto words = words_of(parse_svg(draw_timeline(set)));
    EXPECT_THAT(words, Contains("Failed: the deadline passed"));
    EXPECT_THAT(words, Contains("STILL FROZEN: /mnt/0"));
}

TEST(TimeScaleTicks, AreRoundAndFit) {
    const TimeScale scale(-4.6, 2.7, 100, 720);
    const auto ticks = scale.ticks(96);
    ASSERT_EQ(ticks.size(), 7U);
    EXPECT_EQ(ticks.front().text, "-4 ms");
    EXPECT_EQ(ticks.back().text, "2 ms");
    EXPECT_NEAR(scale.at(-4.6), 100, 1e-9);
    EXPECT_NEAR(scale.at(1e9), 820, 1e-9);
    EXPECT_EQ(TimeScale(0, 12000, 0, 600).ticks(100).at(1).text, "2 s");
    EXPECT_EQ(TimeScale(0, 0.1, 0, 600).ticks(100).at(1).text, "20 us");
    EXPECT_FALSE(TimeScale(0, 0, 0, 600).ticks(100).empty());
}

} // namespace
} // namespace quiesced
