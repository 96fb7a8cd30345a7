// SPDX-License-Identifier: LGPL-2.1-or-later
// The doctor's scratch file system, on a loop device of this machine.
#include "ctl/loop_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace quiesced {
namespace {

std::string text_of_file(const char* path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

TEST(LoopProbe, FreezesAndThawsAFileSystemOfItsOwnAndLeavesNothing) {
    if (::geteuid() != 0) GTEST_SKIP() << "missing: root";
    auto folder = (std::filesystem::temp_directory_path() / "quiesced-probe-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const auto facts = probe_loop(folder);
    EXPECT_EQ(facts.failed_step, "") << facts.error;
    EXPECT_TRUE(facts.identity);
    EXPECT_EQ(facts.freeze, 0);
    EXPECT_EQ(facts.freeze_again, EBUSY);
    EXPECT_FALSE(facts.written_while_frozen);
    EXPECT_EQ(facts.thaw, 0);
    EXPECT_EQ(facts.thaw_again, EINVAL);
    EXPECT_EQ(judge_loop(facts).health, Health::good);
    EXPECT_TRUE(std::filesystem::is_empty(folder)) << "something is left";
    EXPECT_THAT(text_of_file("/proc/self/mountinfo"), testing::Not(testing::HasSubstr(folder)));
    std::filesystem::remove_all(folder);
}

TEST(LoopProbe, AFolderThatIsNotThereIsSaid) {
    const auto facts = probe_loop("/nonexistent");
    EXPECT_EQ(facts.failed_step, "make a folder");
}

} // namespace
} // namespace quiesced
