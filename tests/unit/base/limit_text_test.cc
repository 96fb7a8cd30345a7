// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/limit_text.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

using std::chrono::milliseconds;

TEST(LimitText, SecondsAndMillisecondsAreUnderstood) {
    EXPECT_EQ(parse_limit("60s"), milliseconds(60000));
    EXPECT_EQ(parse_limit("4.5 s"), milliseconds(4500));
    EXPECT_EQ(parse_limit("500ms"), milliseconds(500));
    EXPECT_EQ(parse_limit("7"), milliseconds(7000));
    EXPECT_EQ(parse_limit("3600s"), milliseconds(3600000));
}

TEST(LimitText, WhatIsNoTimeOrOutOfTheRangeIsNone) {
    for (const char* text : {"", "s", "ms", "0", "-1s", "0.5ms", "3600001ms", "1h", "1e9", "nan", "inf", "5 s x", "s5"}) EXPECT_EQ(parse_limit(text), std::nullopt) << text;
}

} // namespace
} // namespace quiesced
