// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/drawing.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"

namespace quiesced {
namespace {

class Drawing : public testing::Test {
protected:
    Drawing() {
        std::string name = "/tmp/quiesced-drawing-XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~Drawing() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    std::string folder_;
};

TEST_F(Drawing, AFileIsReplacedAsAWhole) {
    const auto file = folder_ + "/a.svg";
    ASSERT_TRUE(write_drawing(file, "<svg/>"));
    ASSERT_TRUE(write_drawing(file, "<svg id='2'/>"));
    EXPECT_EQ(read_file(file).value(), "<svg id='2'/>");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "no temporary file is left";
}

TEST_F(Drawing, ALinkStaysOne) {
    ASSERT_TRUE(write_drawing(folder_ + "/a.svg", "old"));
    ASSERT_EQ(::symlink("a.svg", (folder_ + "/link").c_str()), 0);
    ASSERT_TRUE(write_drawing(folder_ + "/link", "new"));
    EXPECT_EQ(read_file(folder_ + "/a.svg").value(), "new");
    EXPECT_TRUE(std::filesystem::is_symlink(folder_ + "/link"));
}

TEST_F(Drawing, WhatIsNoFileIsNotReplaced) {
    const auto fifo = folder_ + "/fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    const auto refused = write_drawing(fifo, "x");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument);
    EXPECT_FALSE(write_drawing(folder_, "x")) << "a folder";
    EXPECT_FALSE(write_drawing(folder_ + "/none/a.svg", "x")) << "a folder that is not there";
}

TEST_F(Drawing, AProgramThatIsMissingIsNamedWithWhatBringsIt) {
    const auto missing = make_drawing("/nowhere/quiesced-draw", "plan", "{}");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message().find("/nowhere/quiesced-draw"), std::string::npos);
    EXPECT_NE(missing.error().message().find("libgvc6"), std::string::npos) << missing.error().message();
}

TEST_F(Drawing, WhatTheProgramSaysOfAFailureIsHandedOn) {
    EXPECT_EQ(make_drawing("/bin/cat", "-", "<svg/>").value(), "<svg/>");
    const std::string much(5U << 20U, 'x');
    EXPECT_EQ(make_drawing("/bin/cat", "-", much).value(), much) << "more than a pipe holds";
    const auto failed = make_drawing("/bin/ls", "--nonsense", "");
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message().find("nonsense"), std::string::npos) << failed.error().message();
}

} // namespace
} // namespace quiesced
