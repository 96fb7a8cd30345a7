// SPDX-License-Identifier: LGPL-2.1-or-later
// A freezer that is stopped, a FIFREEZE that hangs in the kernel, freezes of somebody else: on real file systems.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "base/file.h"
#include "freeze/freezer_keeper.h"
#include "freeze/process_identity.h"
#include "freeze/recovery.h"
#include "freeze_fixture.h"
#include "leak_check.h"

namespace quiesced {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kMillisecond = 1'000'000;

/// "stuck": in a file of "below", which the test freezes. Dirty, its FIFREEZE waits in the kernel until "below" is thawed; on Linux
/// that is state D, which no signal ends.
class NativeStuck : public NativeFreeze {
protected:
    ~NativeStuck() override { let_go(); }

    void plan_stuck() {
        below_ = &add_volume("below", "xfs");
        auto& upper = add_volume("upper", "ext4", below_->mount_point());
        auto& good = add_volume("good", "ext4");
        plan(good);
        plan(upper);
        stuck_name_ = plan_.members[1].name;
        for (const auto* volume : {&upper, &good}) volume->write_some();
        ASSERT_THAT(below_->freeze(), Succeeds());
        frozen_ = true;
    }
    void let_go() {
        if (!std::exchange(frozen_, false)) return;
        EXPECT_THAT(below_->thaw(), Succeeds());
    }
    LoopVolume& upper() { return *volumes_[1]; }
    LoopVolume& good() { return *volumes_[2]; }
    [[nodiscard]] ProcessIdentity freezer() const {
        const auto& header = client_->record().header();
        return {.pid = header.freezer_pid.load(), .start = header.freezer_start.load()};
    }

    LoopVolume* below_ = nullptr;
    std::string stuck_name_;
    bool frozen_ = false;
    const std::int32_t rcu_before_ = rcu_expedited_now();
};

TEST_F(NativeStuck, AFreezeThatHangsFailsTheSetAtItsLimitAndIsThawedWhenItReturns) {
    plan_stuck();
    plan_.member_limit = milliseconds(300);
    start();
    EXPECT_THAT(client_->freeze(seconds(60)), FailsWith(ErrorKind::deadline, "did not freeze within its limit of 300 ms"));
    const auto& header = client_->record().header();
    const auto& released = client_->record().members()[0];
    RecordProperty("released_ms", std::to_string((released.thaw_ended.load() - header.window_started.load()) / kMillisecond));
    EXPECT_LT(released.thaw_ended.load() - header.window_started.load(), 1500 * kMillisecond);
    EXPECT_FALSE(is_frozen(good()));
    EXPECT_THAT(client_->stuck(), ElementsAre(stuck_name_));
    EXPECT_EQ(rcu_expedited_now(), rcu_before_);

    FreezerKeeper keeper;
    const auto superblock = DeviceNumber{client_->record().members()[1].superblock_major, client_->record().members()[1].superblock_minor};
    keeper.keep(plan_.set, std::move(client_), {{stuck_name_, superblock}});
    EXPECT_TRUE(keeper.stuck_in(superblock).has_value());
    // Neither the keeper nor the freezer that lives on keeps the others from being unmounted.
    EXPECT_TRUE(wait_until([&] { return ::umount2(good().mount_point().c_str(), 0) == 0; })) << "the volume that is not stuck is held open";
    let_go();
    EXPECT_TRUE(wait_until([&] { return keeper.count() == 0; }));
    EXPECT_FALSE(is_frozen(upper())) << "the freezer did not thaw what came back late";
    EXPECT_TRUE(wait_until([&] { return !std::filesystem::exists(record_path()); }));
}

TEST_F(NativeStuck, TheEndOfTheDaemonDoesNotWaitForIt) {
    plan_stuck();
    start();
    EXPECT_THAT(client_->freeze(milliseconds(300)), FailsWith(ErrorKind::deadline, "did not freeze in time"));
    const auto process = freezer();
    const auto begin = Monotonic::now();
    client_.reset();
    EXPECT_LT(Monotonic::now() - begin, seconds(3));
    EXPECT_TRUE(process_alive(process)) << "nobody is left to thaw it";
    EXPECT_TRUE(window_under_way(folder_));
    let_go();
    EXPECT_TRUE(wait_until([&] { return !process_alive(process); }));
    EXPECT_FALSE(is_frozen(upper()));
    auto kernel = WindowKernel::linux();
    EXPECT_THAT(recover(kernel, folder_), Succeeds());
    EXPECT_FALSE(std::filesystem::exists(record_path()));
}

TEST_F(NativeStuck, AFreezerThatIsKilledWhileOneHangsLeavesTheOthersToTheDaemonAtOnce) {
    plan_stuck();
    start();
    auto failed = std::thread([&] { EXPECT_FALSE(client_->freeze(seconds(60))); });
    ASSERT_TRUE(wait_until([&] { return client_->record().members()[0].state.load() == MemberState::frozen &&
                                        client_->record().members()[1].state.load() == MemberState::freezing; }));
    ::usleep(200'000); // into the kernel
    const auto process = freezer();
    const auto killed = monotonic_ns();
    ::kill(process.pid, SIGKILL);
    EXPECT_TRUE(wait_until([&] { return client_->record().members()[0].state.load() == MemberState::thawed; }, seconds(3)));
    EXPECT_LT(client_->record().members()[0].thaw_ended.load(), killed + 1000 * kMillisecond);
    failed.join();
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_THAT(losses().front().report.stuck, ElementsAre(stuck_name_));
    EXPECT_EQ(rcu_expedited_now(), rcu_before_);
    // Its thread is still in the kernel: a FITHAW of ours would be stuck with it, and this process could not end.
    EXPECT_TRUE(thread_left(process, client_->record().members()[1].thread.load()));
    EXPECT_EQ(client_->record().members()[1].thaw_started.load(), 0);
    let_go();
    EXPECT_TRUE(wait_until([&] { return client_->record().members()[1].state.load() == MemberState::thawed; }));
    EXPECT_FALSE(is_frozen(upper()));
    client_.reset();
    EXPECT_FALSE(std::filesystem::exists(record_path()));
}

TEST_F(NativeStuck, AStoppedFreezerIsKilledAndItsWritersAreReleasedInTime) {
    for (const auto* type : {"ext4", "xfs", "btrfs"}) plan(add_volume(type, type));
    start();
    ASSERT_THAT(client_->freeze(milliseconds(500)), Succeeds());
    ::kill(freezer().pid, SIGSTOP);
    std::vector<std::unique_ptr<WriteProbe>> probes;
    for (const auto& volume : volumes_) probes.push_back(std::make_unique<WriteProbe>(volume->mount_point()));
    for (const auto& probe : probes) EXPECT_TRUE(probe->ended(seconds(5)));
    const auto& header = client_->record().header();
    for (const auto& slot : client_->record().members()) {
        EXPECT_GE(slot.thaw_started.load(), header.deadline.load() + 1000 * kMillisecond) << "not its deadline and patience have done it";
        EXPECT_LT(slot.thaw_ended.load(), header.deadline.load() + 2000 * kMillisecond);
    }
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_TRUE(losses().front().killed);
    EXPECT_EQ(rcu_expedited_now(), rcu_before_);
}

TEST_F(NativeStuck, AnAcceptedForeignFreezeCountsIsAskedForAndStays) {
    for (const auto* type : {"ext4", "xfs", "btrfs"}) plan(add_volume(type, type));
    for (const auto& volume : volumes_) ASSERT_THAT(volume->freeze(), Succeeds());
    auto& ours = add_volume("ours", "ext4");
    plan(ours);
    plan_.accept_foreign = true;
    start();
    ASSERT_THAT(client_->flush(seconds(10)), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_TRUE(is_frozen(ours));
    ASSERT_THAT(volumes_[2]->thaw(), Succeeds()); // btrfs: its owner lets go too early
    const auto cut = monotonic_ns();
    ASSERT_THAT(client_->thaw(), Succeeds());
    const auto members = client_->record().members();
    EXPECT_GE(members[0].foreign_until.load(), cut);
    EXPECT_GE(members[1].foreign_until.load(), cut);
    EXPECT_EQ(members[2].foreign_until.load(), 0);
    client_.reset();
    EXPECT_TRUE(is_frozen(*volumes_[0])) << "the freeze of somebody else was taken away";
    EXPECT_TRUE(is_frozen(*volumes_[1])) << "the freeze of somebody else was taken away";
    EXPECT_FALSE(is_frozen(*volumes_[2])) << "the question left it frozen";
    EXPECT_FALSE(is_frozen(ours));
    for (const int i : {0, 1}) EXPECT_THAT(volumes_[static_cast<std::size_t>(i)]->thaw(), Succeeds());
}

TEST_F(NativeStuck, ForceThawsUnderALivingDaemon) {
    for (const auto* type : {"ext4", "btrfs"}) plan(add_volume(type, type));
    start();
    ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    ::kill(freezer().pid, SIGSTOP);
    auto kernel = WindowKernel::linux();
    const auto begin = Monotonic::now();
    EXPECT_THAT(recover_by_force(kernel, folder_), Succeeds());
    EXPECT_LT(Monotonic::now() - begin, seconds(3));
    for (const auto& volume : volumes_) EXPECT_FALSE(is_frozen(*volume));
}

} // namespace
} // namespace quiesced
