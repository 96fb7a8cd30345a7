// SPDX-License-Identifier: LGPL-2.1-or-later
// What a window does to its file systems.
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <future>

#include "freeze/explain.h"
#include "freeze/protocol.h"
#include "window_fixture.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FreezerTest : public WindowTest {};

TEST_F(FreezerTest, LevelsAreFrozenTopDownAndThawedBottomUp) {
    add_member("root", 2);
    add_member("loop-on-data", 0);
    add_member("data", 1);
    add_member("other-loop-on-data", 0);
    start();
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_TRUE(world_->frozen("root") && world_->frozen("data") && world_->frozen("loop-on-data"));
    ASSERT_THAT(client_->thaw(), Succeeds());
    for (const std::string upper : {"loop-on-data", "other-loop-on-data"}) {
        expect_order("freeze " + upper + " = 0", "freeze data");
        expect_order("thaw data = 0", "thaw " + upper);
    }
    expect_order("freeze data = 0", "freeze root");
    expect_order("thaw root = 0", "thaw data");
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(FreezerTest, AllOfALevelAreFrozenAtTheSameTime) {
    for (const std::string name : {"a", "b", "c", "d"}) {
        add_member(name);
        world_->point(SimCall::freeze, name).close();
    }
    start();
    auto frozen = std::async(std::launch::async, [&] { return client_->freeze(seconds(10)); });
    EXPECT_TRUE(wait_until([&] {
        return world_->point(SimCall::freeze, "a").waiting() + world_->point(SimCall::freeze, "b").waiting() +
                   world_->point(SimCall::freeze, "c").waiting() + world_->point(SimCall::freeze, "d").waiting() == 4;
    }));
    for (const std::string name : {"a", "b", "c", "d"}) world_->point(SimCall::freeze, name).open();
    EXPECT_THAT(frozen.get(), Succeeds());
}

TEST_F(FreezerTest, EachFileSystemIsThawedExactlyOnceHoweverOftenOneAsks) {
    add_member("a");
    add_member("b", 1);
    start();
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_THAT(client_->thaw(), Succeeds());
    client_.reset();
    EXPECT_EQ(calls(SimCall::thaw, "a"), 1U);
    EXPECT_EQ(calls(SimCall::thaw, "b"), 1U);
    EXPECT_FALSE(record_there());
}

TEST_F(FreezerTest, AForeignFreezeIsReportedAndNeverThawed) {
    add_member("a");
    add_member("b");
    add_member("c", 1);
    world_->freeze_by_somebody_else("b");
    start();
    EXPECT_THAT(client_->freeze(seconds(10)), FailsWith(ErrorKind::foreign_freeze, "b was already frozen by somebody else"));
    EXPECT_THAT(world_->held(), ElementsAre("b"));
    client_.reset();
    EXPECT_EQ(calls(SimCall::thaw, "a"), 1U);
    EXPECT_EQ(calls(SimCall::thaw, "b"), 0U);
    EXPECT_EQ(calls(SimCall::freeze, "c"), 0U) << "a lower level was frozen after a failure";
    EXPECT_TRUE(world_->frozen("b"));
    EXPECT_FALSE(record_there());
}

TEST_F(FreezerTest, AMountThatWasReplacedIsRefusedAndNothingIsCalledOnIt) {
    add_member("other-mount");
    add_member("other-superblock");
    add_member("sound");
    auto identity = world_->identity("other-mount");
    identity.mount_id += 1;
    world_->set_identity("other-mount", identity);
    identity = world_->identity("other-superblock");
    identity.superblock.minor += 1;
    world_->set_identity("other-superblock", identity);
    start();
    EXPECT_THAT(client_->freeze(seconds(10)), FailsWith(ErrorKind::no_such_volume, "is no longer the file system"));
    for (const std::string name : {"other-mount", "other-superblock"}) {
        EXPECT_EQ(calls(SimCall::freeze, name), 0U);
        EXPECT_EQ(calls(SimCall::thaw, name), 0U);
    }
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(FreezerTest, AnErrorOfOneFileSystemThawsAllOthers) {
    add_member("a");
    add_member("b");
    world_->point(SimCall::freeze, "b").fail(EIO);
    start();
    EXPECT_THAT(client_->freeze(seconds(10)), FailsWith(ErrorKind::kernel, "cannot freeze b"));
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_EQ(calls(SimCall::thaw, "b"), 0U);
}

TEST_F(FreezerTest, TheDeadlineThawsByItselfAndIsReportedOnce) {
    add_member("a");
    start();
    ASSERT_THAT(client_->freeze(milliseconds(50)), Succeeds());
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_EQ(losses().front().kind, ErrorKind::deadline);
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_EQ(client_->record().header().deadline_passed.load(), 1U);
    const auto& slot = client_->record().members()[0];
    EXPECT_GE(slot.thaw_started.load(), client_->record().header().window_started.load() + 50'000'000);
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_THAT(client_->freeze(seconds(1)), FailsWith(ErrorKind::deadline, "deadline passed"));
    client_.reset();
    EXPECT_EQ(losses().size(), 1U);
    EXPECT_EQ(calls(SimCall::thaw, "a"), 1U);
}

TEST_F(FreezerTest, AThawBeforeTheDeadlineIsNoPassedDeadline) {
    add_member("a");
    world_->point(SimCall::thaw, "a").delay(milliseconds(150));
    start();
    ASSERT_THAT(client_->freeze(milliseconds(100)), Succeeds());
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(client_->record().header().deadline_passed.load(), 0U);
    EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(FreezerTest, ExtendMovesTheDeadlineAndIsRefusedAfterIt) {
    add_member("a");
    start();
    ASSERT_THAT(client_->freeze(milliseconds(200)), Succeeds());
    const auto later = Monotonic::now() + milliseconds(500);
    EXPECT_THAT(client_->extend(later), Succeeds());
    std::this_thread::sleep_for(milliseconds(300));
    EXPECT_TRUE(world_->frozen("a"));
    ASSERT_TRUE(wait_until([&] { return !world_->frozen("a"); }));
    EXPECT_GE(Monotonic::now(), later);
    EXPECT_THAT(client_->extend(Monotonic::now() + seconds(1)), FailsWith(ErrorKind::deadline, "deadline passed"));
    EXPECT_FALSE(world_->frozen("a"));
}

TEST_F(FreezerTest, ExtendIntoThePastThawsAtOnceInsteadOfNever) {
    add_member("a");
    start();
    ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    EXPECT_THAT(client_->extend(Monotonic::time_point{}), Succeeds());
    EXPECT_TRUE(wait_until([&] { return !world_->frozen("a"); }));
}

TEST_F(FreezerTest, AFreezeThatHangsDelaysNoOtherThawAndIsThawedWhenItReturns) {
    add_member("good");
    add_member("bad");
    world_->point(SimCall::freeze, "bad").close();
    start();
    const auto begin = Monotonic::now();
    EXPECT_THAT(client_->freeze(milliseconds(100)), FailsWith(ErrorKind::deadline, "bad did not freeze in time"));
    EXPECT_LT(Monotonic::now() - begin, seconds(3));
    const auto& good = client_->record().members()[0];
    EXPECT_LT(good.thaw_ended.load(), client_->record().header().window_started.load() + 400'000'000) << "the thaw waited";
    EXPECT_FALSE(world_->frozen("good"));
    EXPECT_THAT(client_->stuck(), ElementsAre("bad"));
    EXPECT_THAT(client_->thaw(), FailsWith(ErrorKind::deadline, "bad did not freeze in time"));
    EXPECT_EQ(calls(SimCall::thaw, "bad"), 0U);
    EXPECT_EQ(world_->rcu_expedited(), 0) << "RCU waits for a freeze that may never return";

    world_->point(SimCall::freeze, "bad").open();
    EXPECT_TRUE(wait_until([&] { return client_->stuck().empty(); }));
    EXPECT_THAT(client_->thaw(), Succeeds());
    client_.reset();
    EXPECT_EQ(calls(SimCall::thaw, "bad"), 1U);
    EXPECT_EQ(logged("thaw bad = 0"), 1);
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_FALSE(record_there());
}

TEST_F(FreezerTest, AThawThatHangsDelaysNoOtherLevel) {
    add_member("upper", 0);
    add_member("lower", 1);
    world_->point(SimCall::thaw, "lower").close();
    start();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    auto thawed = std::async(std::launch::async, [&] { return client_->thaw(); });
    EXPECT_TRUE(wait_until([&] { return !world_->frozen("upper"); }));
    EXPECT_THAT(client_->stuck(), ElementsAre("lower"));
    world_->point(SimCall::thaw, "lower").open();
    EXPECT_THAT(thawed.get(), Succeeds());
    EXPECT_EQ(calls(SimCall::thaw, "lower"), 1U);
}

TEST_F(FreezerTest, AThawThatFailsIsReportedAndTriedAgainByTheDaemonAtTheEnd) {
    add_member("a");
    world_->point(SimCall::thaw, "a").fail(EIO, 1);
    start();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    EXPECT_THAT(client_->thaw(), FailsWith(ErrorKind::kernel, "cannot thaw a"));
    EXPECT_TRUE(world_->frozen("a"));
    client_.reset();
    EXPECT_FALSE(world_->frozen("a"));
    EXPECT_FALSE(record_there());
}

TEST_F(FreezerTest, AFileSystemThatSomebodyElseThawedIsLeftAlone) {
    add_member("a");
    world_->point(SimCall::thaw, "a").fail(EINVAL);
    start();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    EXPECT_THAT(client_->thaw(), Succeeds());
    client_.reset();
    EXPECT_EQ(calls(SimCall::thaw, "a"), 1U);
}

TEST_F(FreezerTest, AFileSystemThatItsThawTurnsReadOnlyIsReportedWithWhatToDo) {
    add_member("a");
    add_member("b");
    world_->break_by_killed_thaw("b", true);
    start();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    const auto thawed = client_->thaw();
    ASSERT_TRUE(thawed) << thawed.error().message();
    const auto members = client_->record().members();
    EXPECT_FALSE(explain_member(client_->record().header(), members[0]));
    const auto problem = explain_member(client_->record().header(), members[1]);
    ASSERT_TRUE(problem);
    EXPECT_THAT(problem->message(), AllOf(HasSubstr("turned b read-only"), HasSubstr("Unmount it and mount it again")));
}

TEST_F(FreezerTest, AThawInTheMiddleOfTheFreezeStopsIt) {
    add_member("a", 0);
    add_member("b", 1);
    world_->point(SimCall::freeze, "a").close();
    start();
    auto frozen = std::async(std::launch::async, [&] { return client_->freeze(seconds(20)); });
    ASSERT_TRUE(wait_until([&] { return world_->point(SimCall::freeze, "a").waiting() == 1; }));
    auto thawed = std::async(std::launch::async, [&] { return client_->thaw(); });
    std::this_thread::sleep_for(milliseconds(50));
    world_->point(SimCall::freeze, "a").open();
    EXPECT_THAT(thawed.get(), Succeeds());
    EXPECT_THAT(frozen.get(), FailsWith(ErrorKind::wrong_state, "ended by a thaw"));
    EXPECT_EQ(calls(SimCall::freeze, "b"), 0U);
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(FreezerTest, TheFlushIsRepeatedUntilAPassIsShortOrNoShorterOrTheBoundIsReached) {
    add_member("quick");
    add_member("slow");
    auto& slow = world_->point(SimCall::sync, "slow");
    slow.delay(milliseconds(30));
    start();
    ASSERT_THAT(client_->flush(milliseconds(1)), Succeeds());
    EXPECT_EQ(slow.calls(), 1U) << "the bound was reached in the first pass";
    EXPECT_GE(client_->record().members()[1].flush_ns.load(), 30'000'000);
    ASSERT_THAT(client_->flush(seconds(30)), Succeeds());
    EXPECT_EQ(slow.calls(), 3U) << "the second pass was not short, and no shorter than the first";
    slow.delay(milliseconds(0));
    ASSERT_THAT(client_->flush(seconds(30)), Succeeds());
    EXPECT_EQ(slow.calls(), 4U) << "a short pass is the last";
    EXPECT_EQ(calls(SimCall::freeze, "slow"), 0U);
}

TEST_F(FreezerTest, FileSystemsAreFlushedOneAfterAnother) {
    for (const auto* name : {"a", "b", "c", "d", "e"}) {
        add_member(name);
        world_->point(SimCall::sync, name).delay(milliseconds(15)); // a short pass: it is the only one
    }
    start();
    const auto begun = Monotonic::now();
    ASSERT_THAT(client_->flush(seconds(30)), Succeeds());
    EXPECT_GE(Monotonic::now() - begun, milliseconds(75));
}

TEST_F(FreezerTest, AfterALongPassOfTheFlushFewAreFlushedAtOnce) {
    for (const auto* name : {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}) {
        add_member(name);
        world_->point(SimCall::sync, name).delay(milliseconds(40));
    }
    start();
    const auto begun = Monotonic::now();
    ASSERT_THAT(client_->flush(seconds(30)), Succeeds());
    // One after another, then three times four at once, then all at once; with all at once from the second on it were 560.
    EXPECT_GE(Monotonic::now() - begun, milliseconds(12 * 40 + 3 * 40 + 40));
}

TEST_F(FreezerTest, AFlushThatDoesNotReturnKeepsNoOtherWaiting) {
    for (const auto* name : {"stuck", "b", "c", "d"}) add_member(name);
    auto& stuck = world_->point(SimCall::sync, "stuck");
    stuck.close();
    start();
    auto flushed = std::async(std::launch::async, [&] { return client_->flush(seconds(30)); });
    EXPECT_TRUE(wait_until([&] { return calls(SimCall::sync, "b") == 1 && calls(SimCall::sync, "c") == 1 && calls(SimCall::sync, "d") == 1; }));
    EXPECT_EQ(stuck.waiting(), 1U);
    stuck.open();
    EXPECT_THAT(flushed.get(), Succeeds());
}

TEST_F(FreezerTest, QuitWithoutAFreezeLeavesNothing) {
    add_member("a");
    start();
    EXPECT_TRUE(record_there());
    client_.reset();
    EXPECT_THAT(losses(), IsEmpty());
    EXPECT_THAT(world_->log(), IsEmpty());
    EXPECT_FALSE(record_there());
}

TEST_F(FreezerTest, TheEndOfTheClientThaws) {
    add_member("a");
    start();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    client_.reset();
    EXPECT_EQ(logged("thaw a = 0"), 1);
    EXPECT_THAT(losses(), IsEmpty()) << "an end that was asked for is no loss";
    EXPECT_FALSE(record_there());
}

TEST_F(FreezerTest, ThreeHundredFileSystemsGoThroughOneSocket) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
    ::setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 0; i < 300; ++i) add_member("fs" + std::to_string(i), i % 3);
    start();
    ASSERT_THAT(client_->flush(seconds(5)), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    EXPECT_EQ(world_->held().size(), 300U);
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_THAT(world_->held(), IsEmpty());
    for (int i = 0; i < 300; ++i) ASSERT_EQ(calls(SimCall::thaw, "fs" + std::to_string(i)), 1U);
}

/// The freezer alone, with the test as its daemon.
class FreezerSocket : public WindowTest {
protected:
    void connect() {
        std::array<int, 2> ends{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
        socket_ = UniqueFd(ends[0]);
        ASSERT_THAT(launcher_.launch(UniqueFd(ends[1])), Succeeds());
    }
    std::int32_t call(FreezerMessage::Kind kind, std::int64_t value = 0, const std::vector<int>& descriptors = {}) {
        EXPECT_THAT(send_message(socket_.get(), {.kind = kind, .result = 0, .value = value}, descriptors), Succeeds());
        if (kind == FreezerMessage::Kind::attach) return 0;
        const auto answer = receive_message(socket_.get(), Monotonic::now() + seconds(10));
        EXPECT_TRUE(answer && answer->message.kind == kind);
        return answer ? answer->message.result : -1;
    }
    ThreadLauncher launcher_{world_->kernel()};
    UniqueFd socket_;
};

TEST_F(FreezerSocket, ItsEndThawsAll) {
    using Kind = FreezerMessage::Kind;
    add_member("a");
    add_member("b");
    auto record = Record::create(record_path(), plan_);
    ASSERT_TRUE(record);
    connect();
    call(Kind::attach, 0, {record->fd(), plan_.members[0].fd.get(), plan_.members[1].fd.get()});
    ASSERT_EQ(call(Kind::ready), 0);
    ASSERT_EQ(call(Kind::freeze, 60'000'000'000), 0);
    ASSERT_EQ(world_->held().size(), 2U);
    socket_.reset();
    EXPECT_TRUE(launcher_.reap(seconds(5)));
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_EQ(world_->rcu_expedited(), 0);
}

TEST_F(FreezerSocket, ItsEndIsNotFollowedByAThawAtOnceWhereAKillOfTheThawWouldBreakAFileSystem) {
    using Kind = FreezerMessage::Kind;
    add_member("a");
    world_->break_by_killed_thaw("a", false);
    auto record = Record::create(record_path(), plan_);
    ASSERT_TRUE(record);
    connect();
    call(Kind::attach, 0, {record->fd(), plan_.members[0].fd.get()});
    ASSERT_EQ(call(Kind::ready), 0);
    ASSERT_EQ(call(Kind::freeze, 60'000'000'000), 0);
    const auto lost = monotonic_ns();
    socket_.reset();
    EXPECT_TRUE(launcher_.reap(seconds(5)));
    EXPECT_GE(record->members()[0].thaw_started.load() - lost, 30'000'000);
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(FreezerSocket, OrdersOutOfOrderAreRefused) {
    using Kind = FreezerMessage::Kind;
    add_member("a");
    auto record = Record::create(record_path(), plan_);
    ASSERT_TRUE(record);
    connect();
    EXPECT_NE(call(Kind::freeze, 1'000'000'000), 0);
    EXPECT_NE(call(Kind::ready), 0) << "nothing was attached";
    call(Kind::attach, 0, {record->fd(), plan_.members[0].fd.get()});
    ASSERT_EQ(call(Kind::ready), 0);
    EXPECT_NE(call(Kind::fire), 0);
    EXPECT_NE(call(Kind::extend, monotonic_ns() + 1'000'000'000), 0);
    EXPECT_EQ(call(Kind::freeze, 60'000'000'000), 0);
    EXPECT_NE(call(Kind::freeze, 60'000'000'000), 0);
    EXPECT_NE(call(Kind::flush, 1), 0);
    EXPECT_EQ(call(Kind::thaw), 0);
    EXPECT_EQ(call(Kind::thaw), 0);
    EXPECT_NE(call(Kind::freeze, 60'000'000'000), 0) << "one window each";
    EXPECT_EQ(calls(SimCall::freeze, "a"), 1U);
}

TEST_F(FreezerSocket, APlanThatDoesNotMatchTheDescriptorsIsRefused) {
    using Kind = FreezerMessage::Kind;
    add_member("a");
    add_member("b");
    auto record = Record::create(record_path(), plan_);
    ASSERT_TRUE(record);
    connect();
    call(Kind::attach, 0, {record->fd(), plan_.members[0].fd.get()});
    EXPECT_NE(call(Kind::ready), 0);
    EXPECT_NE(call(Kind::freeze, 60'000'000'000), 0);
    EXPECT_THAT(world_->log(), IsEmpty());
}

} // namespace
} // namespace quiesced
