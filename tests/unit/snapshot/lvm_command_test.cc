// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "base/scope_exit.h"

namespace quiesced {
namespace {

using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Return;

class MockRunner : public LvmRunner {
public:
    MOCK_METHOD(Result<ChildOutcome>, run, (const std::vector<std::string>&, std::chrono::milliseconds), (override));
};

LogicalVolume origin() {
    LogicalVolume volume;
    volume.group = "vg";
    volume.name = "home";
    return volume;
}

const SetId kSet = SetId::parse("0123456789abcdef").value();

TEST(LvmCommand, AThickSnapshotIsTaggedAndSizedAndLeavesOtherMonitoringAlone) {
    MockRunner runner;
    EXPECT_CALL(runner, run(ElementsAre("lvcreate", "--yes", "--snapshot", "--ignoremonitoring", "--addtag", "quiesced",
                                        "--addtag", "quiesced.set=0123456789abcdef", "--name", "snap", "--size",
                                        "67108864b", "--chunksize", "16384b", "vg/home"),
                            _))
        .WillOnce(Return(ChildOutcome{}));
    EXPECT_TRUE(LvmCommand(runner).create_thick_snapshot(origin(), "snap", Bytes{64U << 20U}, Bytes{16U << 10U}, kSet));
}

TEST(LvmCommand, AThinSnapshotIsNotActivated) {
    MockRunner runner;
    EXPECT_CALL(runner, run(ElementsAre("lvcreate", "--yes", "--snapshot", "--ignoremonitoring", "--addtag", "quiesced",
                                        "--addtag", "quiesced.set=0123456789abcdef", "--name", "snap",
                                        "--setactivationskip", "y", "vg/home"),
                            _))
        .WillOnce(Return(ChildOutcome{}));
    EXPECT_TRUE(LvmCommand(runner).create_thin_snapshot(origin(), "snap", kSet));
}

TEST(LvmCommand, NothingToDoIsNoCommand) {
    MockRunner runner;
    EXPECT_CALL(runner, run(_, _)).Times(0);
    EXPECT_TRUE(LvmCommand(runner).remove({}));
    EXPECT_TRUE(LvmCommand(runner).activate({}));
    EXPECT_TRUE(LvmCommand(runner).monitor({}));
}

ErrorKind kind_for(const ChildOutcome& outcome, std::string* message = nullptr) {
    MockRunner runner;
    EXPECT_CALL(runner, run(_, _)).WillOnce(Return(outcome));
    const auto removed = LvmCommand(runner).remove({"vg/a"});
    if (removed) return ErrorKind::internal;
    if (message != nullptr) *message = removed.error().message();
    return removed.error().kind;
}

TEST(LvmCommand, AFailureCarriesLvmsOwnWordsWithoutItsWarnings) {
    ChildOutcome outcome;
    outcome.exit_status = 5;
    outcome.errors =
        "  WARNING: You have not turned on protection.\n  Failed to find logical volume \"vg/a\"\n  Really.\n";
    std::string message;
    EXPECT_EQ(kind_for(outcome, &message), ErrorKind::lvm_failed);
    EXPECT_THAT(message, HasSubstr("removing vg/a failed: Failed to find logical volume \"vg/a\"; Really"));
    EXPECT_THAT(message, Not(HasSubstr("WARNING")));
}

TEST(LvmCommand, WordsOfLvmBecomeKindsOfError) {
    ChildOutcome outcome;
    outcome.exit_status = 5;
    outcome.errors = "  Logical volume vg/a contains a filesystem in use.\n";
    EXPECT_EQ(kind_for(outcome), ErrorKind::busy);
    outcome.errors = "  Volume group \"vg\" has insufficient free space (3 extents): 16 required.\n";
    EXPECT_EQ(kind_for(outcome), ErrorKind::no_space);
    std::string message;
    outcome.errors = "  Cannot send messages to thin pool vg-pool-tpool (253:2) with read only metadata.\n  Failed to update pool vg/pool.\n";
    EXPECT_EQ(kind_for(outcome, &message), ErrorKind::lvm_failed);
    EXPECT_THAT(message, HasSubstr("lvextend --poolmetadatasize"));
    outcome.errors.clear();
    EXPECT_EQ(kind_for(outcome, &message), ErrorKind::lvm_failed);
    EXPECT_THAT(message, HasSubstr("exit status 5"));
    outcome.timed_out = true;
    EXPECT_EQ(kind_for(outcome, &message), ErrorKind::deadline);
    EXPECT_THAT(message, HasSubstr("lock"));
}

TEST(LvmCommand, AProgramThatIsMissingIsAnError) {
    SystemLvmRunner runner("/nonexistent/lvm");
    EXPECT_FALSE(LvmCommand(runner).list({"vg"}));
}

TEST(LvmCommand, TheRealRunnerFixesConfigurationAndEnvironment) {
    std::string folder = "/tmp/quiesced-lvm-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const auto program = folder + "/lvm";
    const ScopeExit clean([&] {
        ::unlink(program.c_str());
        ::rmdir(folder.c_str());
    });
    std::ofstream(program) << "#!/bin/sh\necho \"$@\"; env\n";
    ASSERT_EQ(::chmod(program.c_str(), 0700), 0);
    SystemLvmRunner runner(program);
    const auto outcome = runner.run({"lvs", "--units", "b", "vg"}, std::chrono::seconds(20));
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_THAT(outcome->output, testing::StartsWith("lvs --config log{"));
    EXPECT_THAT(outcome->output, HasSubstr("list_item_separator=\",\""));
    EXPECT_THAT(outcome->output, HasSubstr("} --units b vg\n"));
    EXPECT_THAT(outcome->output, HasSubstr("LC_ALL=C\n"));
    EXPECT_THAT(outcome->output, HasSubstr("LVM_SUPPRESS_FD_WARNINGS=1\n"));
    EXPECT_THAT(outcome->output, Not(HasSubstr("HOME=")));
}

} // namespace
} // namespace quiesced
