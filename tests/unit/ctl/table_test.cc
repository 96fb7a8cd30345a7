// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/table.h"

#include <sstream>

#include <gtest/gtest.h>

namespace quiesced {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
    EXPECT_EQ(render_table({{"A"}, {"LONGER"}, {"N", true}}, {{"a1", "b", "5"}, {"a", "bb", "12"}}),
              "A   LONGER   N\n"
              "a1  b        5\n"
              "a   bb      12\n");
}

TEST(Table, WithoutRowsOnlyTheHeadIsLeft) { EXPECT_EQ(render_table({{"A"}, {"B"}}, {}), "A  B\n"); }

TEST(Table, TheWidestOfTheColumnsThatMayBeCutIsCutFirst) {
    const auto text = render_table({{"NAME", false, 4}, {"KEEP"}, {"PATH", false, 4}}, {{"abcdef", "012345", "/a/very/long/path"}}, 26);
    EXPECT_EQ(text, "NAME    KEEP    PATH\n"
                    "abcdef  012345  /a/v..path\n");
}

TEST(Table, WhatMustNotBeCutIsWholeEvenBeyondTheWidth) {
    EXPECT_EQ(render_table({{"A"}, {"B", false, 3}}, {{"0123456789", "abcdef"}}, 12), "A           B\n0123456789  ..f\n");
}

TEST(Table, ACharacterOfSeveralBytesIsOneColumn) {
    EXPECT_EQ(text_width("größe"), 5U);
    EXPECT_EQ(render_table({{"A"}, {"B"}}, {{"größe", "x"}, {"a", "y"}}), "A      B\ngröße  x\na      y\n");
}

TEST(Table, ATextIsCutBetweenCharacters) {
    EXPECT_EQ(fit_text("ääääääää", 6), "ää..ää");
    EXPECT_EQ(fit_text("ääää", 2), "ää");
    EXPECT_EQ(fit_text("abc", 3), "abc");
}

TEST(Table, ControlCharactersDoNotReachTheTerminal) { EXPECT_EQ(fit_text("/mnt/a\nb\x1b[2J\x7f", 40), "/mnt/a?b?[2J?"); }

} // namespace
} // namespace quiesced
