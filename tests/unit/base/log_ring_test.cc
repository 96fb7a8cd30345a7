// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/log_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace quiesced {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::system_clock::time_point kAnyTime{};

struct Drained {
    std::vector<std::string> texts;
    std::uint64_t lost = 0;
};

Drained drain(LogRing& ring) {
    Drained result;
    result.lost = ring.drain([&](const LogRing::Line& line) { result.texts.emplace_back(line.view()); });
    return result;
}

TEST(LogRing, HandsLinesOverInTheirOrderAndOnlyOnce) {
    LogRing ring(4);
    ring.push(1, "a", kAnyTime);
    ring.push(2, "b", kAnyTime);
    const auto first = drain(ring);
    EXPECT_THAT(first.texts, ElementsAre("a", "b"));
    EXPECT_EQ(first.lost, 0U);
    EXPECT_THAT(drain(ring).texts, IsEmpty());
}

TEST(LogRing, LosesTheOldestLinesWhenFullAndCountsThem) {
    LogRing ring(3);
    for (const char* text : {"1", "2", "3", "4", "5"}) ring.push(0, text, kAnyTime);
    const auto drained = drain(ring);
    EXPECT_THAT(drained.texts, ElementsAre("3", "4", "5"));
    EXPECT_EQ(drained.lost, 2U);
}

TEST(LogRing, CountsTheLossAnewAfterEachDrain) {
    LogRing ring(1);
    ring.push(0, "1", kAnyTime);
    ring.push(0, "2", kAnyTime);
    EXPECT_EQ(drain(ring).lost, 1U);
    ring.push(0, "3", kAnyTime);
    const auto drained = drain(ring);
    EXPECT_THAT(drained.texts, ElementsAre("3"));
    EXPECT_EQ(drained.lost, 0U);
}

TEST(LogRing, KeepsLevelAndTimeOfALine) {
    LogRing ring(2);
    const auto time = kAnyTime + std::chrono::seconds(1700000000);
    ring.push(3, "x", time);
    ring.drain([&](const LogRing::Line& line) {
        EXPECT_EQ(line.level, 3);
        EXPECT_EQ(line.time, time);
    });
}

TEST(LogRing, CutsALongLineBetweenTwoCharacters) {
    LogRing ring(1);
    const std::string text = std::string(493, 'a') + "\u00e4" + std::string(100, 'b');
    ring.push(0, text, kAnyTime);
    EXPECT_THAT(drain(ring).texts, ElementsAre(std::string(493, 'a')));
}

TEST(LogRing, KeepsTheFieldsOfALineAlsoWhereTheTextIsCut) {
    LogRing ring(2);
    ring.push(0, std::string(600, 'a'), kAnyTime, 7, "QUIESCED_SET=1\n");
    ring.drain([&](const LogRing::Line& line) {
        EXPECT_EQ(line.message, 7);
        EXPECT_EQ(line.fields(), "QUIESCED_SET=1\n");
        EXPECT_EQ(line.view(), std::string(479, 'a'));
    });
    ring.push(0, "text", kAnyTime, 7, std::string(LogRing::kMostFields + 1, 'x'));
    ring.drain([&](const LogRing::Line& line) {
        EXPECT_EQ(line.fields(), "") << "half a field would be a wrong one";
        EXPECT_EQ(line.view(), "text");
    });
}

TEST(LogRing, AShorterLineDoesNotShowTheRestOfAnOlderOne) {
    LogRing ring(1);
    ring.push(0, "a long line", kAnyTime);
    ring.push(0, "ab", kAnyTime);
    EXPECT_THAT(drain(ring).texts, ElementsAre("ab"));
}

TEST(LogRing, ASinkMayLogAgain) {
    LogRing ring(2);
    ring.push(0, "first", kAnyTime);
    ring.drain([&](const LogRing::Line&) { ring.push(0, "from the sink", kAnyTime); });
    EXPECT_THAT(drain(ring).texts, ElementsAre("from the sink"));
}

TEST(LogRing, LosesNothingUncountedWhenSeveralThreadsLog) {
    LogRing ring(64);
    constexpr std::uint64_t kEach = 20000;
    std::atomic<int> running = 2;
    const auto log = [&] {
        for (std::uint64_t i = 0; i < kEach; ++i) ring.push(0, "line", kAnyTime);
        --running;
    };
    std::thread one(log);
    std::thread two(log);
    std::uint64_t seen = 0;
    const auto count = [&] { seen += ring.drain([&](const LogRing::Line&) { ++seen; }); };
    while (running > 0) count();
    one.join();
    two.join();
    count();
    EXPECT_EQ(seen, 2 * kEach);
}

TEST(OriginalTime, IsShownOnlyForALineThatWaited) {
    const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
    EXPECT_EQ(original_time(now, now), "");
    EXPECT_EQ(original_time(now - std::chrono::milliseconds(99), now), "");
    const auto shown = original_time(now - std::chrono::milliseconds(19'993), now);
    // 1699999980.007; the date depends on the time zone
    EXPECT_EQ(shown.size(), std::string("[2023-11-14 22:13:00.007] ").size());
    EXPECT_THAT(shown, testing::HasSubstr(":00.007] "));
    EXPECT_EQ(shown.front(), '[');
}

} // namespace
} // namespace quiesced
