// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/held_child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <thread>

#include "base/file.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

Monotonic::time_point in(milliseconds time) { return Monotonic::now() + time; }

Result<HeldChild> shell(const std::string& text) { return HeldChild::start({"/bin/sh", "-c", text}, {"PATH=/usr/bin:/bin"}); }

TEST(HeldChild, SpeaksLinesBothWaysUntilItsInputEnds) {
    auto child = shell("while read -r line; do echo \"got $line\"; done; exit 5");
    ASSERT_TRUE(child) << child.error().message();
    for (const std::string word : {"one", "two"}) {
        ASSERT_TRUE(child->channel().write_line(word + "\n", in(milliseconds(10000))));
        const auto line = child->channel().read_line(in(milliseconds(10000)));
        ASSERT_TRUE(line) << line.error().message();
        EXPECT_EQ(*line, "got " + word);
    }
    EXPECT_EQ(child->end(in(milliseconds(10000))).value(), 5);
    EXPECT_EQ(child->end(in(milliseconds(10000))).error().kind, ErrorKind::wrong_state);
}

TEST(HeldChild, OneThatDoesNotEndIsKilledWithItsGroup) {
    auto child = shell("trap '' TERM HUP; sleep 1000 & echo $!; sleep 1000");
    ASSERT_TRUE(child);
    const auto line = child->channel().read_line(in(milliseconds(10000)));
    ASSERT_TRUE(line);
    const auto grandchild = static_cast<pid_t>(std::stoi(std::string(*line)));
    const auto ended = child->end(in(milliseconds(100)));
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().kind, ErrorKind::deadline);
    // Whoever adopts it may not reap it at once: gone, or a zombie.
    const auto lives = [&] {
        const auto status = read_file("/proc/" + std::to_string(grandchild) + "/stat");
        return status && status->find(") Z ") == std::string::npos;
    };
    for (int i = 0; i < 200 && lives(); ++i) std::this_thread::sleep_for(milliseconds(10));
    EXPECT_FALSE(lives());
}

TEST(HeldChild, AProgramThatIsNotThereIsAnError) {
    const auto child = HeldChild::start({"/nonexistent/program"}, {});
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().kind, ErrorKind::io);
    EXPECT_THAT(HeldChild::start({"sh"}, {}).error().message(), HasSubstr("full path"));
}

TEST(HeldChild, ASignalsEndIsTold) {
    auto child = shell("kill -KILL $$");
    ASSERT_TRUE(child);
    EXPECT_EQ(child->end(in(milliseconds(10000))).value(), 128 + SIGKILL);
}

} // namespace
} // namespace quiesced
