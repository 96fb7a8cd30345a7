// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/table.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

class TableText : public testing::Test {
protected:
    TableText() { use_utf8(); }
};

TEST_F(TableText, ColumnsAreAsWideAsTheirWidestCell) {
    EXPECT_EQ(render_table({{"A"}, {"LONGER"}, {"N", true}}, {{"a1", "b", "5"}, {"a", "bb", "12"}}),
              "A   LONGER   N\n"
              "a1  b        5\n"
              "a   bb      12\n");
}

TEST_F(TableText, WithoutRowsOnlyTheHeadIsLeft) { EXPECT_EQ(render_table({{"A"}, {"B"}}, {}), "A  B\n"); }

TEST_F(TableText, AColumnThatWrapsGoesOnInTheNextLine) {
    EXPECT_EQ(render_table({{"NAME"}, {"PATH", false, true}, {"C"}}, {{"abcdef", "/a/very/long/path", "x"}, {"g", "/b", "y"}}, {.width = 20}),
              "NAME    PATH       C\n"
              "abcdef  /a/very/   x\n"
              "        long/path\n"
              "g       /b         y\n");
}

TEST_F(TableText, TheWidestOfTheColumnsThatWrapGivesWay) {
    EXPECT_EQ(render_table({{"NAME", false, true}, {"WHY", false, true}}, {{"/dev/loop0", "a sentence that is longer than the screen"}}, {.width = 30}),
              "NAME        WHY\n"
              "/dev/loop0  a sentence that is\n"
              "            longer than the\n"
              "            screen\n");
}

TEST_F(TableText, WhatDoesNotWrapIsWholeEvenBeyondTheWidth) {
    EXPECT_NE(render_table({{"A"}, {"B", false, true}}, {{"0123456789", "abcdef"}}, {.width = 8}).find("0123456789"), std::string::npos);
}

TEST_F(TableText, ACellOfSeveralLinesHasThemBelowOneAnother) {
    EXPECT_EQ(render_table({{"A"}, {"B"}}, {{"a", std::vector<std::string>{"b1", "b2"}}, {"c", "d"}}), "A  B\na  b1\n   b2\nc  d\n");
    EXPECT_EQ(render_table({{"A"}, {"B"}}, {{std::vector<std::string>{}, ""}}), "A  B\n-  -\n");
}

TEST_F(TableText, WideCharactersAreTwoColumns) {
    EXPECT_EQ(render_table({{"A"}, {"B"}}, {{"中文", "x"}, {"größe", "y"}}), "A      B\n中文   x\ngröße  y\n");
}

TEST_F(TableText, ControlCharactersDoNotReachTheTerminal) {
    EXPECT_EQ(render_table({{"A"}, {"B"}}, {{"/a\nb\x1b[2J", "\xff"}}), "A               B\n/a\\x0ab\\x1b[2J  \\xff\n");
}

TEST_F(TableText, ColoursAreForScreensThatShowThem) {
    const std::vector<std::vector<Cell>> rows{{Cell("no", Colour::red), "x"}};
    EXPECT_EQ(render_table({{"A"}, {"B"}}, rows).find('\x1b'), std::string::npos);
    const auto text = render_table({{"A"}, {"B"}}, rows, {.width = 80, .colour = true});
    EXPECT_NE(text.find("\x1b[31mno"), std::string::npos) << text;
    EXPECT_NE(text.find("\x1b[1mA"), std::string::npos) << text;
}

} // namespace
} // namespace quiesced
