// SPDX-License-Identifier: LGPL-2.1-or-later
// Freezers that are stopped, file systems that do not answer, and freezes of somebody else: what is left over and who waits for it.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

#include <future>

#include "base/file.h"
#include "fork_launcher.h"
#include "freeze/freezer_keeper.h"
#include "freeze/process_identity.h"
#include "freeze/recovery.h"
#include "window_fixture.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StuckTest : public WindowTest {
protected:
    ~StuckTest() override {
        for (const auto& name : closed_) world_->point(SimCall::freeze, name).open();
        for (const auto& name : closed_) world_->point(SimCall::thaw, name).open();
        if (*pid_ > 0) ::kill(*pid_, SIGCONT);
    }
    void close(SimCall call, const std::string& name) {
        closed_.push_back(name);
        world_->point(call, name).close();
    }
    void start_process() { start(std::make_unique<ForkLauncher>(world_->kernel(), pid_)); }
    [[nodiscard]] pid_t freezer() const { return *pid_; }
    const MemberSlot& slot(std::size_t index) { return client_->record().members()[index]; }
    Result<Record> record_on_disk() { return open_at(AT_FDCWD, record_path(), O_RDWR).and_then(&Record::map); }

    std::shared_ptr<pid_t> pid_ = std::make_shared<pid_t>(-1);

private:
    std::vector<std::string> closed_;
};

TEST_F(StuckTest, AFileSystemThatPassesItsLimitFailsTheSetAtOnce) {
    add_member("good");
    add_member("bad");
    add_member("lower", 1);
    plan_.member_limit = milliseconds(100);
    close(SimCall::freeze, "bad");
    start();
    const auto begin = Monotonic::now();
    EXPECT_THAT(client_->freeze(seconds(60)), FailsWith(ErrorKind::deadline, "bad did not freeze within its limit of 100 ms"));
    EXPECT_LT(Monotonic::now() - begin, seconds(5)) << "it waited for the deadline";
    EXPECT_FALSE(world_->frozen("good"));
    EXPECT_GE(slot(0).thaw_started.load(), client_->record().header().window_started.load() + 100'000'000);
    EXPECT_EQ(calls(SimCall::freeze, "lower"), 0U);
    EXPECT_EQ(client_->record().header().deadline_passed.load(), 0U);
    EXPECT_THAT(client_->stuck(), ElementsAre("bad"));
}

TEST_F(StuckTest, TheLateOneIsNamedAlsoWhenItIsBackByThen) {
    add_member("good");
    add_member("late");
    plan_.member_limit = milliseconds(50);
    world_->point(SimCall::freeze, "late").delay(milliseconds(150));
    start();
    EXPECT_THAT(client_->freeze(seconds(60)), FailsWith(ErrorKind::deadline, "late did not freeze within its limit"));
    EXPECT_THAT(client_->stuck(), IsEmpty());
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(StuckTest, TheLimitIsOfEachLevelAndNotOfTheHold) {
    add_member("upper", 0);
    add_member("lower", 1);
    plan_.member_limit = milliseconds(300);
    world_->point(SimCall::freeze, "upper").delay(milliseconds(200));
    world_->point(SimCall::freeze, "lower").delay(milliseconds(200));
    start();
    ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    std::this_thread::sleep_for(milliseconds(350));
    EXPECT_TRUE(world_->frozen("upper"));
    EXPECT_THAT(client_->thaw(), Succeeds());
}

TEST_F(StuckTest, AnAcceptedForeignFreezeCountsAndIsNeverThawed) {
    add_member("ours");
    add_member("theirs");
    plan_.accept_foreign = true;
    world_->freeze_by_somebody_else("theirs");
    start();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    const auto cut = monotonic_ns();
    ASSERT_THAT(client_->thaw(), Succeeds());
    EXPECT_GE(slot(1).foreign_until.load(), cut) << "it was not asked after the cut";
    EXPECT_EQ(slot(1).state.load(), MemberState::foreign);
    client_.reset();
    EXPECT_EQ(calls(SimCall::thaw, "theirs"), 0U);
    EXPECT_EQ(logged("freeze theirs"), 2);
    EXPECT_THAT(world_->held(), ElementsAre("theirs"));
    EXPECT_FALSE(record_there());
}

TEST_F(StuckTest, AForeignFreezeThatEndedMeanwhileIsFoundOutAndNothingStaysFrozen) {
    add_member("ours");
    add_member("theirs");
    plan_.accept_foreign = true;
    world_->freeze_by_somebody_else("theirs");
    start();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    world_->thaw_by_somebody_else("theirs");
    ASSERT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(slot(1).foreign_until.load(), 0);
    EXPECT_EQ(slot(1).foreign.load(), 1U);
    EXPECT_EQ(calls(SimCall::thaw, "theirs"), 1U) << "the one that undoes the question";
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(StuckTest, AFreezerThatDiesWhileItAsksThawsNothingThatMayBeSomebodyElses) {
    add_member("theirs");
    plan_.accept_foreign = true;
    world_->freeze_by_somebody_else("theirs");
    start_process();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    world_->thaw_by_somebody_else("theirs");
    close(SimCall::freeze, "theirs");
    auto thawed = std::async(std::launch::async, [&] { return client_->thaw(); });
    ASSERT_TRUE(wait_until([&] { return slot(0).state.load() == MemberState::probing; }));
    ::kill(freezer(), SIGKILL);
    EXPECT_FALSE(thawed.get());
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_THAT(losses().front().report.failed, ElementsAre(HasSubstr("if writes to it hang and nobody holds it: fsfreeze -u /mnt/theirs")));
    EXPECT_EQ(calls(SimCall::thaw, "theirs"), 0U);
}

TEST_F(StuckTest, AStoppedFreezerIsKilledWhenTheDeadlineHasPassed) {
    add_member("a");
    add_member("b");
    start_process();
    ASSERT_THAT(client_->freeze(milliseconds(300)), Succeeds());
    ::kill(freezer(), SIGSTOP);
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_EQ(losses().front().kind, ErrorKind::lost);
    EXPECT_TRUE(losses().front().killed);
    const auto until = client_->record().header().window_started.load() + 300'000'000 + 1'000'000'000;
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_GE(slot(i).thaw_started.load(), until);
        EXPECT_LT(slot(i).thaw_ended.load(), until + 1'000'000'000);
    }
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_EQ(world_->rcu_expedited(), 0);
    EXPECT_THAT(client_->thaw(), Succeeds());
}

TEST_F(StuckTest, AStoppedFreezerDoesNotKeepAThawWaiting) {
    add_member("a");
    start_process();
    ASSERT_THAT(client_->freeze(seconds(600)), Succeeds());
    ::kill(freezer(), SIGSTOP);
    const auto begin = Monotonic::now();
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_LT(Monotonic::now() - begin, seconds(5));
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(StuckTest, AFreezerThatStopsInTheMiddleOfTheThawIsKilled) {
    add_member("a", 0);
    add_member("b", 1);
    start_process();
    ASSERT_THAT(client_->freeze(seconds(600)), Succeeds());
    world_->point(SimCall::thaw, "b").delay(milliseconds(200));
    auto thawed = std::async(std::launch::async, [&] { return client_->thaw(); });
    ASSERT_TRUE(wait_until([&] { return client_->record().header().thaw_began.load() != 0; }));
    ::kill(freezer(), SIGSTOP);
    EXPECT_THAT(thawed.get(), Succeeds());
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(StuckTest, TheEndOfTheClientDoesNotWaitForWhatIsStuck) {
    add_member("good");
    add_member("bad");
    close(SimCall::freeze, "bad");
    start_process();
    EXPECT_FALSE(client_->freeze(milliseconds(50)));
    const auto begin = Monotonic::now();
    client_.reset();
    EXPECT_LT(Monotonic::now() - begin, seconds(3));
    const auto record = record_on_disk();
    ASSERT_THAT(record, Succeeds());
    EXPECT_EQ(record->header().daemon_pid.load(), 0) << "recover() has to know that it is not looked after";
    EXPECT_TRUE(process_alive({.pid = record->header().freezer_pid.load(), .start = record->header().freezer_start.load()}));
    EXPECT_TRUE(window_left(directory_));
    world_->point(SimCall::freeze, "bad").open();
    EXPECT_TRUE(wait_until([&] { return world_->held().empty(); })) << "the freezer that was left alone did not thaw";
    EXPECT_EQ(logged("thaw bad = 0"), 1);
    // Its process ends by itself, and then its record can go.
    int status = 0;
    EXPECT_EQ(::waitpid(freezer(), &status, 0), freezer());
    *pid_ = -1;
    auto kernel = world_->kernel();
    EXPECT_THAT(recover(kernel, directory_, "/nonexistent"), Succeeds());
    EXPECT_FALSE(record_there());
    EXPECT_FALSE(window_left(directory_));
}

TEST_F(StuckTest, ADiskThatDoesNotAnswerAtThePreFlushIsNamedAndNotWaitedFor) {
    add_member("good");
    add_member("dead");
    world_->point(SimCall::sync, "dead").close();
    options_.flush_spare = milliseconds(200);
    start_process();
    EXPECT_THAT(client_->flush(milliseconds(100)), FailsWith(ErrorKind::deadline, "what is to be written to dead could not be written in time"));
    EXPECT_THAT(client_->thaw(), Succeeds());
    const auto begin = Monotonic::now();
    client_.reset();
    EXPECT_LT(Monotonic::now() - begin, seconds(5));
    EXPECT_EQ(calls(SimCall::freeze, "good") + calls(SimCall::freeze, "dead"), 0U);
    world_->point(SimCall::sync, "dead").open();
    EXPECT_EQ(::waitpid(freezer(), nullptr, 0), freezer());
    *pid_ = -1;
}

TEST_F(StuckTest, TheKeeperHoldsAStuckVolumeUntilItIsThawed) {
    add_member("good");
    add_member("bad");
    const auto good = plan_.members[0].superblock, bad = plan_.members[1].superblock;
    close(SimCall::freeze, "bad");
    start_process();
    EXPECT_FALSE(client_->freeze(milliseconds(50)));
    FreezerKeeper keeper;
    const auto begin = Monotonic::now();
    keeper.keep("67f0a1b200c0ffee", std::move(client_), {{"good", good}, {"bad", bad}});
    EXPECT_LT(Monotonic::now() - begin, seconds(1));
    EXPECT_EQ(keeper.stuck_in(bad), "67f0a1b200c0ffee");
    EXPECT_EQ(keeper.stuck_in(good), std::nullopt);
    EXPECT_EQ(keeper.count(), 1U);
    world_->point(SimCall::freeze, "bad").open();
    EXPECT_TRUE(wait_until([&] { return keeper.count() == 0; }));
    EXPECT_EQ(keeper.stuck_in(bad), std::nullopt);
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_TRUE(wait_until([&] { return !record_there(); }));
    EXPECT_EQ(calls(SimCall::thaw, "bad"), 1U);
}

TEST_F(StuckTest, AKeeperThatEndsWaitsForNothing) {
    add_member("bad");
    const auto bad = plan_.members[0].superblock;
    close(SimCall::freeze, "bad");
    start_process();
    EXPECT_FALSE(client_->freeze(milliseconds(50)));
    const auto begin = Monotonic::now();
    {
        FreezerKeeper keeper;
        keeper.keep("67f0a1b200c0ffee", std::move(client_), {{"bad", bad}});
    }
    EXPECT_LT(Monotonic::now() - begin, seconds(3));
    EXPECT_TRUE(record_there());
    world_->point(SimCall::freeze, "bad").open();
    EXPECT_TRUE(wait_until([&] { return world_->held().empty(); }));
}

TEST_F(StuckTest, ARescueThatOneDiskHoldsUpReleasesAllOthersAndSaysSo) {
    add_member("a");
    add_member("dead");
    start_process();
    ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    close(SimCall::thaw, "dead");
    const auto killed = monotonic_ns();
    ::kill(freezer(), SIGKILL);
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_LT(slot(0).thaw_ended.load(), killed + 1'000'000'000);
    EXPECT_EQ(world_->rcu_expedited(), 0);
    EXPECT_LT(monotonic_ns(), killed + 2'000'000'000 + 2'000'000'000) << "the rescue waited longer than its patience";
    EXPECT_THAT(losses().front().report.thawed, ElementsAre("a"));
    EXPECT_THAT(losses().front().report.stuck, ElementsAre("dead"));
    EXPECT_THAT(losses().front().report.failed, ElementsAre(HasSubstr("has not finished the thaw of dead")));
    EXPECT_THAT(client_->stuck(), ElementsAre("dead"));
    world_->point(SimCall::thaw, "dead").open();
    EXPECT_TRUE(wait_until([&] { return client_->stuck().empty(); }));
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_EQ(calls(SimCall::thaw, "dead"), 1U);
    EXPECT_TRUE(wait_until([&] { return client_->thaw().has_value(); }));
    client_.reset();
    EXPECT_FALSE(record_there());
}

TEST_F(StuckTest, TheEndOfTheClientDoesNotWaitForItsOwnRescue) {
    add_member("dead");
    start_process();
    ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    close(SimCall::thaw, "dead");
    ::kill(freezer(), SIGKILL);
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    const auto begin = Monotonic::now();
    client_.reset();
    EXPECT_LT(Monotonic::now() - begin, seconds(3));
    const auto record = record_on_disk();
    ASSERT_THAT(record, Succeeds());
    EXPECT_EQ(record->header().daemon_pid.load(), ::getpid()) << "a second FITHAW would be started while the first is under way";
    world_->point(SimCall::thaw, "dead").open();
    EXPECT_TRUE(wait_until([&] { return record->members()[0].state.load() == MemberState::thawed; }));
}

TEST_F(StuckTest, ForceThawsAlsoWhatALivingDaemonAndAStoppedFreezerHold) {
    add_member("a");
    start_process();
    ASSERT_THAT(client_->freeze(seconds(600)), Succeeds());
    ::kill(freezer(), SIGSTOP);
    auto kernel = world_->kernel();
    EXPECT_THAT(recover(kernel, directory_, "/nonexistent"), Succeeds());
    EXPECT_TRUE(world_->frozen("a"));
    EXPECT_THAT(recover_by_force(kernel, directory_, "/nonexistent"), Succeeds());
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_EQ(world_->rcu_expedited(), 0);
    EXPECT_EQ(calls(SimCall::thaw, "a"), 1U) << "its daemon lives and has thawed it";
    EXPECT_TRUE(wait_until([&] { return !losses().empty(); }));
    client_.reset();
    EXPECT_FALSE(record_there());
}

TEST(AwaitThaws, WhoEndsAfterARecoveryDoesNotKillWhatTheKernelHasNotFinishedButWaitsNotForEver) {
    Recovered slow{.set = "slow", .report = {}, .journal = false};
    slow.report.pending = std::make_shared<PendingThaws>();
    slow.report.pending->add();
    const std::vector<Recovered> all{{.set = "nothing pending", .report = {}, .journal = false}, slow};
    auto begin = Monotonic::now();
    await_thaws(all, milliseconds(50));
    EXPECT_GE(Monotonic::now() - begin, milliseconds(50));
    std::thread thaw([&] {
        std::this_thread::sleep_for(milliseconds(100));
        slow.report.pending->end();
    });
    begin = Monotonic::now();
    await_thaws(all, seconds(60));
    EXPECT_GE(Monotonic::now() - begin, milliseconds(90));
    EXPECT_LT(Monotonic::now() - begin, seconds(30));
    thaw.join();
}

TEST(ProcessIdentity, OnlyThatVeryProcessIsKilled) {
    const auto child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) ::pause();
    }
    EXPECT_FALSE(kill_process({.pid = child, .start = 1}));
    EXPECT_FALSE(kill_process({}));
    EXPECT_EQ(::kill(child, 0), 0);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

} // namespace
} // namespace quiesced
