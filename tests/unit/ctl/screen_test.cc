// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/screen.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>

#include <cstdlib>

#include <gtest/gtest.h>

#include "base/unique_fd.h"

namespace quiesced {
namespace {

class ScreenOf : public testing::Test {
protected:
    void SetUp() override {
        ::unsetenv("NO_COLOR");
        ::setenv("TERM", "xterm", 1);
        const winsize size{.ws_row = 24, .ws_col = 132, .ws_xpixel = 0, .ws_ypixel = 0};
        int ours = -1;
        int theirs = -1;
        ASSERT_EQ(::openpty(&ours, &theirs, nullptr, nullptr, &size), 0);
        master_.reset(ours);
        terminal_.reset(theirs);
    }
    UniqueFd master_;
    UniqueFd terminal_;
};

TEST_F(ScreenOf, ATerminalHasItsWidthAndColours) {
    const auto screen = screen_of(terminal_.get(), ColourMode::automatic);
    EXPECT_EQ(screen.width, 132U);
    EXPECT_TRUE(screen.colour);
    EXPECT_EQ(screen.paint(Colour::red, "x"), "\x1b[31mx\x1b[0m");
    EXPECT_FALSE(screen_of(terminal_.get(), ColourMode::never).colour);
}

TEST_F(ScreenOf, ADumbTerminalOrNoColorHasNone) {
    ::setenv("NO_COLOR", "1", 1);
    EXPECT_FALSE(screen_of(terminal_.get(), ColourMode::automatic).colour);
    EXPECT_TRUE(screen_of(terminal_.get(), ColourMode::always).colour) << "the option says more than the environment";
    ::setenv("NO_COLOR", "", 1);
    EXPECT_TRUE(screen_of(terminal_.get(), ColourMode::automatic).colour) << "empty counts as not set";
    ::unsetenv("NO_COLOR");
    ::setenv("TERM", "dumb", 1);
    EXPECT_FALSE(screen_of(terminal_.get(), ColourMode::automatic).colour);
}

TEST_F(ScreenOf, WhatIsNoTerminalHasEightyColumnsAndNoColours) {
    const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto screen = screen_of(file.get(), ColourMode::automatic);
    EXPECT_EQ(screen.width, 80U);
    EXPECT_FALSE(screen.colour);
    EXPECT_EQ(screen.paint(Colour::red, "x"), "x");
    EXPECT_TRUE(screen_of(file.get(), colour_mode("always")).colour);
}

} // namespace
} // namespace quiesced
