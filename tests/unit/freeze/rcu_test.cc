// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine-wide RCU switch: put back on every path, left alone where it is not ours.
#include <fcntl.h>

#include <fstream>

#include "base/file.h"
#include "freeze/linux_kernel.h"
#include "window_fixture.h"

namespace quiesced {
namespace {

class RcuTest : public WindowTest {
protected:
    void write(const std::string& name, const std::string& value) { std::ofstream(directory_ + "/" + name) << value; }
    std::string read(const std::string& name) { return read_attribute_at(AT_FDCWD, directory_ + "/" + name).value_or("?"); }
    /// The real switch on files in place of /sys/kernel.
    WindowKernel kernel() {
        auto kernel = world_->kernel();
        kernel.rcu = std::make_unique<LinuxRcuSwitch>(directory_);
        return kernel;
    }
};

TEST_F(RcuTest, ItIsExpeditedForTheWindowOnly) {
    write("rcu_expedited", "0\n");
    write("rcu_normal", "0\n");
    add_member("a");
    start(std::make_unique<ThreadLauncher>(kernel()));
    EXPECT_EQ(read("rcu_expedited"), "0");
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_EQ(read("rcu_expedited"), "1");
    ASSERT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(read("rcu_expedited"), "0");
    EXPECT_EQ(client_->record().header().saved_rcu.load(), -1);
}

TEST_F(RcuTest, ItIsPutBackAfterAFailedFreezeADeadlineAndTheEndOfTheClient) {
    for (const std::string how : {"failure", "deadline", "end"}) {
        world_ = SimWorld::create();
        plan_ = {};
        plan_.set = "67f0a1b200c0ffee";
        write("rcu_expedited", "0\n");
        write("rcu_normal", "0\n");
        add_member("a");
        if (how == "failure") world_->point(SimCall::freeze, "a").fail(EIO);
        start(std::make_unique<ThreadLauncher>(kernel()));
        const auto frozen = client_->freeze(how == "deadline" ? milliseconds(50) : seconds(20));
        EXPECT_EQ(frozen.has_value(), how != "failure");
        if (how == "deadline") {
            EXPECT_TRUE(wait_until([&] { return client_->record().header().window_ended.load() != 0; }));
        }
        if (how == "end") client_.reset();
        EXPECT_TRUE(wait_until([&] { return read("rcu_expedited") == "0"; })) << how;
        client_.reset();
    }
}

TEST_F(RcuTest, ItIsLeftAloneWhereItIsExpeditedAlreadyOrRcuIsNormal) {
    for (const std::string which : {"expedited", "normal", "switched off"}) {
        world_ = SimWorld::create();
        plan_ = {};
        plan_.set = "67f0a1b200c0ffee";
        const std::string before = which == "expedited" ? "1" : "0";
        write("rcu_expedited", before + "\n");
        write("rcu_normal", which == "normal" ? "1\n" : "0\n");
        plan_.expedite_rcu = which != "switched off";
        add_member("a");
        start(std::make_unique<ThreadLauncher>(kernel()));
        ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
        EXPECT_EQ(read("rcu_expedited"), before) << which;
        ASSERT_THAT(client_->thaw(), Succeeds());
        client_.reset();
        EXPECT_EQ(read("rcu_expedited"), before) << which;
    }
}

TEST_F(RcuTest, TheLastOfTheWindowsThatOverlapPutsItBack) {
    write("rcu_expedited", "0\n");
    write("rcu_normal", "0\n");
    for (const bool first_ends_first : {true, false}) {
        LinuxRcuSwitch first(directory_), second(directory_);
        ASSERT_THAT(first.prepare(), Succeeds());
        ASSERT_THAT(second.prepare(), Succeeds());
        EXPECT_EQ(first.expedite(), 0);
        EXPECT_EQ(second.expedite(), 0);
        auto& early = first_ends_first ? first : second;
        auto& late = first_ends_first ? second : first;
        EXPECT_EQ(early.restore(0), 0);
        EXPECT_EQ(read("rcu_expedited"), "1") << "the other window has lost its expedited RCU";
        EXPECT_EQ(late.restore(0), 0);
        EXPECT_EQ(read("rcu_expedited"), "0");
    }
}

TEST_F(RcuTest, AWindowWhoseFreezerDiedIsNotWaitedFor) {
    write("rcu_expedited", "0\n");
    write("rcu_normal", "0\n");
    LinuxRcuSwitch survivor(directory_);
    ASSERT_THAT(survivor.prepare(), Succeeds());
    {
        LinuxRcuSwitch dead(directory_); // the end of its process closes its descriptors
        ASSERT_THAT(dead.prepare(), Succeeds());
        EXPECT_EQ(dead.expedite(), 0);
        EXPECT_EQ(survivor.expedite(), 0);
    }
    EXPECT_EQ(survivor.restore(0), 0);
    EXPECT_EQ(read("rcu_expedited"), "0");
}

TEST_F(RcuTest, WhoStandsInForALostFreezerPutsItBackWhateverItStillHolds) {
    write("rcu_expedited", "0\n");
    write("rcu_normal", "0\n");
    LinuxRcuSwitch lost(directory_), daemon(directory_); // killed, but a thread of it waits in the kernel
    ASSERT_THAT(lost.prepare(), Succeeds());
    ASSERT_THAT(daemon.prepare(), Succeeds());
    EXPECT_EQ(lost.expedite(), 0);
    EXPECT_EQ(daemon.restore(0), 0);
    EXPECT_EQ(read("rcu_expedited"), "1");
    EXPECT_EQ(daemon.force(0), 0);
    EXPECT_EQ(read("rcu_expedited"), "0");
}

TEST_F(RcuTest, ManyWindowsAtTheSameTimeNeverLeaveItOn) {
    write("rcu_expedited", "0\n");
    write("rcu_normal", "0\n");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([this] {
            LinuxRcuSwitch rcu(directory_);
            ASSERT_THAT(rcu.prepare(), Succeeds());
            for (int round = 0; round < 100; ++round) EXPECT_EQ(rcu.restore(rcu.expedite()), 0);
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(read("rcu_expedited"), "0");
}

TEST_F(RcuTest, AKernelWithoutTheSwitchIsNoError) {
    add_member("a");
    start(std::make_unique<ThreadLauncher>(kernel()));
    EXPECT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_THAT(client_->thaw(), Succeeds());
}

TEST_F(RcuTest, ASwitchThatWasNotOpenedCannotBePutBack) {
    LinuxRcuSwitch rcu(directory_ + "/missing");
    EXPECT_THAT(rcu.prepare(), Succeeds());
    EXPECT_EQ(rcu.expedite(), -1);
    EXPECT_EQ(rcu.restore(-1), 0);
    EXPECT_EQ(rcu.restore(0), ENODEV);
}

TEST_F(RcuTest, ItIsRestoredBeforeTheThawIsAnsweredAndAfterTheLastFileSystem) {
    add_member("a", 0);
    add_member("b", 1);
    start();
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    ASSERT_THAT(client_->thaw(), Succeeds());
    expect_order("expedite", "freeze a");
    expect_order("thaw a = 0", "restore");
    EXPECT_EQ(world_->rcu_expedited(), 0);
}

} // namespace
} // namespace quiesced
