// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/progress_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quiesced {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kSet = "6560000000000001";

SetNews progress(const std::string& volume, const std::string& step) {
    SetNews news;
    news.set = kSet;
    news.what = "progress";
    news.volume = volume;
    news.step = step;
    return news;
}

TEST(ProgressBoard, HasALineForEachMemberAndItsLastStep) {
    ProgressBoard board(kSet);
    SetNews state;
    state.set = kSet;
    state.what = "state";
    state.state = "preparing";
    EXPECT_TRUE(board.note(state));
    EXPECT_TRUE(board.note(progress("/srv/data", "arm")));
    EXPECT_TRUE(board.note(progress("/srv/log", "arm")));
    EXPECT_TRUE(board.note(progress("/srv/log", "cut")));
    EXPECT_EQ(board.render(80, 24), "Set 6560000000000001: preparing\n  /srv/data  reserved\n  /srv/log   cut\n");
}

TEST(ProgressBoard, NewsOfAnotherSetAreNone) {
    ProgressBoard board("6560000000000002");
    EXPECT_FALSE(board.note(progress("/srv/data", "arm")));
    EXPECT_EQ(board.render(80, 24), "Set 6560000000000002: new\n");
}

TEST(ProgressBoard, AWarningStays) {
    ProgressBoard board(kSet);
    auto warning = progress("", "");
    warning.what = "warning";
    warning.message = "the journal was not moved";
    EXPECT_TRUE(board.note(warning));
    EXPECT_THAT(board.render(80, 24), HasSubstr("  the journal was not moved\n"));
}

TEST(ProgressBoard, NoTextIsWiderOrLongerThanTheScreen) {
    ProgressBoard board(kSet);
    for (int i = 0; i < 30; ++i) board.note(progress("/srv/a/very/long/name/that/no/screen/has/room/for/" + std::to_string(i), "arm"));
    for (int i = 0; i < 5; ++i) board.note(progress("/srv/a/very/long/name/that/no/screen/has/room/for/" + std::to_string(i), "cut"));
    const auto text = board.render(40, 10);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) EXPECT_LE(end - at, 40U);
    EXPECT_THAT(text, HasSubstr("and 22 more"));
    EXPECT_THAT(text, Not(HasSubstr("cut"))) << "those that are behind are of interest";
}

TEST(ProgressBoard, AnEscapeSequenceInANameDoesNotReachTheTerminal) {
    ProgressBoard board(kSet);
    board.note(progress("/srv/\x1b[2J", "arm"));
    EXPECT_THAT(board.render(80, 24), Not(HasSubstr("\x1b")));
}

} // namespace
} // namespace quiesced
