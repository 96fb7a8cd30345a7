// SPDX-License-Identifier: LGPL-2.1-or-later
// What a window does to its device-mapper chains.
#include <future>

#include "window_fixture.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ChainTest : public WindowTest {
protected:
    [[nodiscard]] ChainState state(std::size_t chain) const { return client_->record().chains()[chain].state.load(); }
    /// Everything of one chain in the log, beginnings only.
    [[nodiscard]] std::vector<std::string> steps(const std::string& chain) const {
        std::vector<std::string> found;
        for (const auto& line : world_->log())
            if (line.ends_with("-" + chain)) found.push_back(line);
        return found;
    }
};

TEST_F(ChainTest, ItIsPrimedBeforeTheFreezeAndFiredInsideIt) {
    add_member("fs");
    add_chain("a");
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    EXPECT_EQ(world_->live_table("s-a"), "error");
    EXPECT_TRUE(world_->has_inactive_table("s-a"));
    EXPECT_EQ(state(0), ChainState::primed);
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    ASSERT_THAT(client_->fire(), Succeeds());
    EXPECT_EQ(state(0), ChainState::fired);
    ASSERT_THAT(client_->thaw(), Succeeds());
    EXPECT_THAT(steps("a"), ElementsAre("load s-a", "resume s-a", "zero /dev/cow-a", "load s-a", // prime
                                        "suspend o-a", "resume s-a", "resume o-a"));             // fire
    expect_order("zero /dev/cow-a = 0", "freeze fs");
    expect_order("freeze fs = 0", "suspend o-a");
    expect_order("resume o-a = 0", "thaw fs");
    EXPECT_EQ(world_->live_table("s-a"), "snapshot");
    EXPECT_THAT(world_->held(), IsEmpty());
    client_.reset();
    EXPECT_EQ(steps("a").size(), 7U) << "a chain that was cut was unprimed";
    EXPECT_FALSE(record_there());
}

TEST_F(ChainTest, AThawWithoutFireUnprimesAfterTheThaw) {
    add_member("fs");
    add_chain("a");
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    ASSERT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(state(0), ChainState::unprimed);
    EXPECT_THAT(steps("a"), ElementsAre("load s-a", "resume s-a", "zero /dev/cow-a", "load s-a", "load s-a", "resume s-a"));
    EXPECT_EQ(world_->live_table("s-a"), "snapshot");
    const auto lines = world_->log();
    EXPECT_GT(lines.rend() - std::find(lines.rbegin(), lines.rend(), "load s-a"),
              static_cast<std::ptrdiff_t>(world_->position("thaw fs = 0")));
}

TEST_F(ChainTest, TheDeadlineUnprimes) {
    add_member("fs");
    add_chain("a");
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(milliseconds(50)), Succeeds());
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_EQ(state(0), ChainState::unprimed);
    EXPECT_EQ(world_->live_table("s-a"), "snapshot");
}

TEST_F(ChainTest, AFailedPrimeIsReportedAndUnprimedByTheThaw) {
    add_chain("a");
    add_chain("b");
    world_->point(SimCall::zero, "/dev/cow-b").fail(EIO);
    start();
    EXPECT_THAT(client_->prime(), FailsWith(ErrorKind::kernel, "cut b"));
    EXPECT_EQ(state(0), ChainState::primed);
    EXPECT_EQ(state(1), ChainState::failed);
    EXPECT_EQ(client_->record().steps()[7 + 2 + 2 + 3].state.load() == StepState::done, false);
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(state(0), ChainState::unprimed);
    EXPECT_EQ(state(1), ChainState::unprimed);
    EXPECT_EQ(world_->live_table("s-b"), "snapshot");
}

TEST_F(ChainTest, AFireThatFailsInTheMiddleResumesItsOriginAndIsUnprimed) {
    add_member("fs");
    add_chain("a");
    add_chain("b");
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    world_->point(SimCall::resume, "s-b").fail(EINVAL, 1);
    EXPECT_THAT(client_->fire(), FailsWith(ErrorKind::kernel, "cut b"));
    EXPECT_FALSE(world_->suspended("o-b"));
    expect_order("resume s-b = 22", "resume o-b");
    EXPECT_EQ(state(0), ChainState::fired);
    EXPECT_EQ(state(1), ChainState::failed);
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(state(0), ChainState::fired);
    EXPECT_EQ(state(1), ChainState::unprimed);
    EXPECT_EQ(steps("a").size(), 7U);
    EXPECT_EQ(world_->live_table("s-b"), "snapshot");
}

TEST_F(ChainTest, AnOriginThatCannotBeSuspendedIsNotResumed) {
    add_chain("a");
    world_->point(SimCall::suspend, "o-a").fail(ENXIO);
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_THAT(client_->fire(), FailsWith(ErrorKind::kernel, "cut a"));
    EXPECT_EQ(calls(SimCall::resume, "o-a"), 0U);
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(state(0), ChainState::unprimed);
}

TEST_F(ChainTest, AResumeOfTheOriginThatFailsIsTriedAgain) {
    add_chain("a");
    world_->point(SimCall::resume, "o-a").fail(ENOMEM, 3);
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_THAT(client_->fire(), Succeeds());
    EXPECT_FALSE(world_->suspended("o-a"));
    EXPECT_EQ(calls(SimCall::resume, "o-a"), 4U);
}

TEST_F(ChainTest, AnOriginThatStaysSuspendedIsReportedAndResumedByTheDaemonAtTheEnd) {
    add_chain("a");
    world_->point(SimCall::resume, "o-a").fail(ENOMEM, 5);
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_THAT(client_->fire(), Succeeds()) << "the cut itself was made";
    EXPECT_THAT(client_->thaw(), FailsWith(ErrorKind::kernel, "a"));
    EXPECT_TRUE(world_->suspended("o-a"));
    client_.reset();
    EXPECT_FALSE(world_->suspended("o-a"));
    EXPECT_FALSE(record_there());
}

TEST_F(ChainTest, AnUnprimeThatFailsLeavesTheRecord) {
    add_chain("a");
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    world_->point(SimCall::load, "s-a").fail(ENOMEM);
    EXPECT_THAT(client_->thaw(), FailsWith(ErrorKind::kernel, "a"));
    client_.reset();
    EXPECT_TRUE(record_there());
}

TEST_F(ChainTest, AnArmedSnapshotThatIsGoneIsSaidAndNeedsNoUnprime) {
    add_chain("a");
    add_chain("b");
    start();
    world_->point(SimCall::load, "s-b").fail(ENXIO);
    const auto primed = client_->prime();
    EXPECT_THAT(primed, FailsWith(ErrorKind::kernel, "cut b"));
    EXPECT_THAT(primed.error().advice, HasSubstr("gone"));
    EXPECT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(state(1), ChainState::unprimed);
    client_.reset();
    EXPECT_FALSE(record_there());
}

/// A device that is not LVM's: its own new table was loaded when it was armed, and may have to go again.
class OriginWithoutUuid : public ChainTest {
protected:
    OriginWithoutUuid() {
        add_member("fs");
        DmChain chain{.name = "a", .group = {}, .prime = {origin(DmStep::Op::load)}, .fire = {}, .unprime = {origin(DmStep::Op::clear)}};
        chain.fire = {origin(DmStep::Op::suspend), step(DmStep::Op::resume, "s-a"), origin(DmStep::Op::resume)};
        plan_.chains.push_back(std::move(chain));
    }
    static DmStep origin(DmStep::Op op) {
        return {.op = op, .uuid = {}, .target = "snapshot-origin", .sectors = 8, .text = "254:8", .path = {}, .read_only = false, .number = {254, 7}};
    }
};

TEST_F(OriginWithoutUuid, ItIsKnownByItsNumber) {
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    ASSERT_THAT(client_->fire(), Succeeds());
    expect_order("suspend 254:7 = 0", "resume s-a");
    expect_order("resume s-a = 0", "resume 254:7");
    EXPECT_EQ(world_->live_table("254:7"), "snapshot-origin");
    ASSERT_THAT(client_->thaw(), Succeeds());
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(OriginWithoutUuid, ItIsResumedWhenItsSnapshotCannotBe) {
    world_->point(SimCall::resume, "s-a").fail(EIO);
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    EXPECT_FALSE(client_->fire());
    EXPECT_FALSE(world_->suspended("254:7"));
    static_cast<void>(client_->thaw());
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(OriginWithoutUuid, ATableThatWasLoadedIsClearedWhenNothingIsCut) {
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_TRUE(world_->has_inactive_table("254:7"));
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    ASSERT_THAT(client_->thaw(), Succeeds());
    EXPECT_EQ(state(0), ChainState::unprimed);
    EXPECT_FALSE(world_->has_inactive_table("254:7"));
    EXPECT_EQ(world_->live_table("254:7"), "") << "it was activated";
}

TEST_F(ChainTest, ChainsFireSideBySide) {
    for (const std::string name : {"a", "b", "c"}) {
        add_chain(name);
        world_->point(SimCall::suspend, "o-" + name).close();
    }
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    auto fired = std::async(std::launch::async, [&] { return client_->fire(); });
    EXPECT_TRUE(wait_until([&] {
        return world_->point(SimCall::suspend, "o-a").waiting() + world_->point(SimCall::suspend, "o-b").waiting() +
                   world_->point(SimCall::suspend, "o-c").waiting() == 3;
    }));
    for (const std::string name : {"a", "b", "c"}) world_->point(SimCall::suspend, "o-" + name).open();
    EXPECT_THAT(fired.get(), Succeeds());
}

TEST_F(ChainTest, MessagesOfOneGroupRunOneAfterAnother) {
    using Op = DmStep::Op;
    for (const std::string name : {"a", "b", "c", "other"}) {
        const std::string pool = name == "other" ? "pool2" : "pool";
        DmChain chain{.name = name, .group = pool, .prime = {}, .fire = {}, .unprime = {}};
        chain.fire = {step(Op::suspend, "o-" + name), step(Op::message, pool, "create_snap 1 2"), step(Op::resume, "o-" + name)};
        plan_.chains.push_back(std::move(chain));
    }
    world_->point(SimCall::message, "pool").close();
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    auto fired = std::async(std::launch::async, [&] { return client_->fire(); });
    EXPECT_TRUE(wait_until([&] { return logged("resume o-other = 0") == 1; })) << "another pool waits, too";
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_EQ(calls(SimCall::message, "pool"), 1U);
    world_->point(SimCall::message, "pool").open();
    EXPECT_THAT(fired.get(), Succeeds());
    int running = 0;
    for (const auto& line : world_->log()) {
        if (line == "message pool") ++running;
        if (line == "message pool = 0") --running;
        EXPECT_LE(running, 1);
    }
    EXPECT_EQ(calls(SimCall::message, "pool"), 3U);
}

TEST_F(ChainTest, AFireThatIsOvertakenByTheDeadlineStillResumesItsOrigin) {
    add_member("fs");
    add_chain("a");
    start();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(milliseconds(100)), Succeeds());
    world_->point(SimCall::resume, "s-a").close();
    auto fired = std::async(std::launch::async, [&] { return client_->fire(); });
    EXPECT_TRUE(wait_until([&] { return logged("thaw fs = 0") == 1; })) << "the thaw waits for a chain";
    world_->point(SimCall::resume, "s-a").open();
    EXPECT_THAT(fired.get(), FailsWith(ErrorKind::deadline, "deadline passed"));
    EXPECT_FALSE(world_->suspended("o-a"));
    EXPECT_EQ(world_->live_table("s-a"), "snapshot");
}

} // namespace
} // namespace quiesced
