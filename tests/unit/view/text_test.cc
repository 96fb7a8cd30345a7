// SPDX-License-Identifier: LGPL-2.1-or-later
#include "view/text.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

class Text : public testing::Test {
protected:
    static void SetUpTestSuite() { use_utf8(); }
};

TEST_F(Text, WideCharactersTakeTwoColumnsAndCombiningOnesNone) {
    EXPECT_EQ(text_width("größe"), 5U);
    EXPECT_EQ(text_width("中文字"), 6U);
    EXPECT_EQ(text_width("e\u0301"), 1U);
    EXPECT_EQ(text_width(""), 0U);
}

TEST_F(Text, ControlCharactersAndWhatIsNoUtf8AreEscaped) {
    EXPECT_EQ(printable("/mnt/a\nb\x1b[2J\x7f"), "/mnt/a\\x0ab\\x1b[2J\\x7f");
    EXPECT_EQ(printable("\xff/gr\xc3"), "\\xff/gr\\xc3");
    EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
    EXPECT_EQ(printable("\u0085\u200e"), "\\xc2\\x85" "\u200e") << "C1 controls act on terminals";
    EXPECT_EQ(printable("größe 中文 a\\b"), "größe 中文 a\\b");
}

TEST_F(Text, ATextIsCutBetweenCharacters) {
    EXPECT_EQ(fit_text("ääääääää", 6), "ää..ää");
    EXPECT_EQ(fit_text("ääää", 2), "ää");
    EXPECT_EQ(fit_text("abc", 3), "abc");
    EXPECT_EQ(fit_text("中文字中文字", 7), "中..字") << "half of a wide character is none";
    EXPECT_LE(text_width(fit_text("中文字中文字", 7)), 7U);
}

TEST_F(Text, PaddingCountsColumns) {
    EXPECT_EQ(pad_text("中", 4), "中  ");
    EXPECT_EQ(pad_text("ä", 3, true), "  ä");
}

TEST_F(Text, LinesAreDividedAtSpaces) {
    EXPECT_EQ(wrap_text("one two three four", 9, 2), "one two\n  three\n  four\n");
    EXPECT_EQ(wrap_text("a unbreakable b", 5), "a\nunbreakable\nb\n");
    EXPECT_EQ(wrap_text("a\x1b b", 20), "a\\x1b b\n");
    EXPECT_EQ(wrap_text("", 20), "\n");
}

TEST_F(Text, PiecesEndAfterSpacesSlashesAndCommasWhereTheyCan) {
    using Pieces = std::vector<std::string>;
    EXPECT_EQ(split_text("/srv/data/of/app", 8), (Pieces{"/srv/", "data/of/", "app"}));
    EXPECT_EQ(split_text("one two three", 7), (Pieces{"one two", "three"}));
    EXPECT_EQ(split_text("one two three", 8), (Pieces{"one two", "three"}));
    EXPECT_EQ(split_text("a/bcdefghijkl", 5), (Pieces{"a/bcd", "efghi", "jkl"})) << "not for a piece that is next to nothing";
    EXPECT_EQ(split_text("中文字", 3), (Pieces{"中", "文", "字"}));
    EXPECT_EQ(split_text("中文", 1), (Pieces{"中", "文"}));
    EXPECT_EQ(split_text("abc", 3), (Pieces{"abc"}));
    EXPECT_EQ(split_text("", 3), (Pieces{""}));
    EXPECT_EQ(split_text("a\nb", 3), (Pieces{"a\\x", "0ab"}));
    std::string whole;
    for (const auto& piece : split_text("/a/b,c/größe/中文/ddddddddddddddddd/e", 6)) {
        EXPECT_LE(text_width(piece), 6U);
        whole += piece;
    }
    EXPECT_EQ(whole, "/a/b,c/größe/中文/ddddddddddddddddd/e");
}

TEST_F(Text, TimesHaveThreeDigitsAndAUnit) {
    EXPECT_EQ(duration_text(0), "0 ms");
    EXPECT_EQ(duration_text(0.0354), "35.4 us");
    EXPECT_EQ(duration_text(5.3), "5.30 ms");
    EXPECT_EQ(duration_text(12.34), "12.3 ms");
    EXPECT_EQ(duration_text(999.6), "1.00 s");
    EXPECT_EQ(duration_text(1250), "1.25 s");
    EXPECT_EQ(duration_text(-456), "-456 ms");
    EXPECT_EQ(duration_text(90000), "1.50 min");
    EXPECT_EQ(duration_text(34920000), "9.70 h");
    EXPECT_EQ(duration_text(1.7e8), "1.97 d");
}

} // namespace
} // namespace quiesced
