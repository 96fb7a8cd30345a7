// SPDX-License-Identifier: LGPL-2.1-or-later
// The loss of the freezer, of the daemon, and of both.
#include <sys/prctl.h>

#include <future>

#include "fork_launcher.h"
#include "base/file.h"
#include "freeze/process_identity.h"
#include "freeze/recovery.h"
#include "window_fixture.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

/// Whether every thread has come to a stop; SIGSTOP does not wait for that.
bool is_stopped(pid_t pid) {
    const auto tasks = "/proc/" + std::to_string(pid) + "/task";
    const auto threads = list_directory_at(AT_FDCWD, tasks).value_or(std::vector<std::string>{});
    return !threads.empty() && std::all_of(threads.begin(), threads.end(), [&](const auto& thread) {
        return read_file(tasks + "/" + thread + "/status").value_or("").find("State:\tT") != std::string::npos;
    });
}

class RescueTest : public WindowTest {
protected:
    void start_process() { start(std::make_unique<ForkLauncher>(world_->kernel(), pid_)); }
    void kill_freezer() { ASSERT_EQ(::kill(*pid_, SIGKILL), 0); }
    /// After a kill: the daemon has mended all.
    void expect_mended() {
        ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
        EXPECT_EQ(losses().front().kind, ErrorKind::lost);
        EXPECT_THAT(losses().front().report.failed, IsEmpty());
        EXPECT_THAT(world_->held(), IsEmpty());
        EXPECT_EQ(world_->rcu_expedited(), 0);
        EXPECT_THAT(client_->thaw(), Succeeds());
        client_.reset();
        EXPECT_EQ(losses().size(), 1U);
        EXPECT_FALSE(record_there());
    }
    SimPoint& point(SimCall call, const std::string& name) { return world_->point(call, name); }
    std::shared_ptr<pid_t> pid_ = std::make_shared<pid_t>(-1);
};

TEST_F(RescueTest, AFreezerThatDiesIdleLeavesNothing) {
    add_member("a");
    start_process();
    kill_freezer();
    expect_mended();
    EXPECT_THAT(world_->log(), IsEmpty());
}

TEST_F(RescueTest, AFreezerThatDiesInTheFlushIsReported) {
    add_member("a");
    point(SimCall::sync, "a").close();
    start_process();
    auto flushed = std::async(std::launch::async, [&] { return client_->flush(seconds(5)); });
    ASSERT_TRUE(wait_until([&] { return point(SimCall::sync, "a").waiting() == 1; }));
    kill_freezer();
    EXPECT_THAT(flushed.get(), FailsWith(ErrorKind::lost, "freezer process is gone"));
    expect_mended();
}

TEST_F(RescueTest, AFreezerThatDiesWhilePrimingIsUnprimed) {
    add_chain("x");
    point(SimCall::zero, "/dev/cow-x").close();
    start_process();
    auto primed = std::async(std::launch::async, [&] { return client_->prime(); });
    ASSERT_TRUE(wait_until([&] { return point(SimCall::zero, "/dev/cow-x").waiting() == 1; }));
    EXPECT_EQ(world_->live_table("s-x"), "error");
    kill_freezer();
    EXPECT_FALSE(primed.get());
    expect_mended();
    EXPECT_EQ(world_->live_table("s-x"), "snapshot");
}

TEST_F(RescueTest, AFreezerThatDiesInTheMiddleOfTheFreezeIsThawed) {
    add_member("top", 0);
    add_member("bottom", 1);
    point(SimCall::freeze, "bottom").close();
    start_process();
    auto frozen = std::async(std::launch::async, [&] { return client_->freeze(seconds(20)); });
    ASSERT_TRUE(wait_until([&] { return point(SimCall::freeze, "bottom").waiting() == 1; }));
    EXPECT_EQ(world_->rcu_expedited(), 1);
    kill_freezer();
    // What does not hang is released at once, although the kernel still works on the other one.
    EXPECT_TRUE(wait_until([&] { return !world_->frozen("top"); }));
    point(SimCall::freeze, "bottom").open();
    EXPECT_THAT(frozen.get(), FailsWith(ErrorKind::lost, "freezer process is gone"));
    expect_mended();
    EXPECT_EQ(logged("thaw bottom = 0"), 1);
}

TEST_F(RescueTest, AFreezerThatDiesWhileItHoldsIsThawedAndUnprimed) {
    add_member("a");
    add_member("b", 1);
    add_chain("x");
    start_process();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    kill_freezer();
    expect_mended();
    EXPECT_THAT(losses().front().report.thawed, UnorderedElementsAre("a", "b"));
    EXPECT_THAT(losses().front().report.unprimed, ElementsAre("x"));
    EXPECT_EQ(calls(SimCall::thaw, "a"), 1U);
    EXPECT_EQ(world_->live_table("s-x"), "snapshot");
}

TEST_F(RescueTest, AFreezerThatDiesWhileFiringIsResumedBeforeItIsThawed) {
    add_member("a");
    add_chain("x");
    start_process();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    point(SimCall::resume, "s-x").close();
    auto fired = std::async(std::launch::async, [&] { return client_->fire(); });
    ASSERT_TRUE(wait_until([&] { return point(SimCall::resume, "s-x").waiting() == 1; }));
    EXPECT_TRUE(world_->suspended("o-x"));
    kill_freezer();
    EXPECT_TRUE(wait_until([&] { return !world_->suspended("o-x") && !world_->frozen("a"); }));
    point(SimCall::resume, "s-x").open();
    EXPECT_THAT(fired.get(), FailsWith(ErrorKind::lost, "freezer process is gone"));
    expect_mended();
    expect_order("resume o-x = 0", "thaw a");
    EXPECT_THAT(losses().front().report.resumed, ElementsAre("x"));
}

TEST_F(RescueTest, ACutThatWasMadeBeforeTheDeathStays) {
    add_member("a");
    add_chain("x");
    start_process();
    ASSERT_THAT(client_->prime(), Succeeds());
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    point(SimCall::resume, "o-x").close();
    auto fired = std::async(std::launch::async, [&] { return client_->fire(); });
    ASSERT_TRUE(wait_until([&] { return point(SimCall::resume, "o-x").waiting() == 1; }));
    kill_freezer();
    EXPECT_TRUE(wait_until([&] { return point(SimCall::resume, "o-x").calls() == 2; }));
    point(SimCall::resume, "o-x").open();
    EXPECT_FALSE(fired.get());
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_EQ(client_->record().chains()[0].state.load(), ChainState::fired);
    EXPECT_THAT(losses().front().report.unprimed, IsEmpty());
    expect_mended();
}

TEST_F(RescueTest, AFreezerThatDiesInTheMiddleOfTheThawIsThawed) {
    add_member("a", 0);
    add_member("b", 1);
    start_process();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    point(SimCall::thaw, "b").close();
    auto thawed = std::async(std::launch::async, [&] { return client_->thaw(); });
    ASSERT_TRUE(wait_until([&] { return point(SimCall::thaw, "b").waiting() == 1; }));
    kill_freezer();
    ASSERT_TRUE(wait_until([&] { return point(SimCall::thaw, "b").calls() == 2; }));
    point(SimCall::thaw, "b").open();
    EXPECT_THAT(thawed.get(), Succeeds()) << "the daemon has thawed in the freezer's place";
    expect_mended();
}

TEST_F(RescueTest, AFileSystemThatAKilledThawHasTurnedReadOnlyIsSaidToBeSo) {
    add_member("a");
    world_->break_by_killed_thaw("a", true);
    start_process();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    kill_freezer();
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_THAT(losses().front().report.failed, ElementsAre(HasSubstr("turned a read-only")));
    EXPECT_THAT(world_->held(), IsEmpty());
    client_.reset();
    EXPECT_FALSE(record_there()) << "there is nothing that another try could mend";
}

TEST_F(RescueTest, ALostFreezerThawsNoForeignFreeze) {
    add_member("a", 0);
    add_member("foreign", 0);
    world_->freeze_by_somebody_else("foreign");
    point(SimCall::thaw, "a").close(); // the failed freeze thaws a
    start_process();
    auto frozen = std::async(std::launch::async, [&] { return client_->freeze(seconds(20)); });
    ASSERT_TRUE(wait_until([&] { return point(SimCall::thaw, "a").waiting() == 1; }));
    kill_freezer();
    point(SimCall::thaw, "a").open();
    EXPECT_FALSE(frozen.get());
    EXPECT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_THAT(world_->held(), ElementsAre("foreign"));
    EXPECT_EQ(calls(SimCall::thaw, "foreign"), 0U);
}

TEST_F(RescueTest, AFreezerThatDiesAfterItsDeadlineIsNoSecondLoss) {
    add_member("a");
    start_process();
    ASSERT_THAT(client_->freeze(milliseconds(20)), Succeeds());
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_EQ(losses().front().kind, ErrorKind::deadline);
    kill_freezer();
    EXPECT_TRUE(wait_until([&] { return !client_->extend(Monotonic::now()).has_value() && client_->thaw().has_value(); }));
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_EQ(losses().size(), 1U);
    EXPECT_EQ(calls(SimCall::thaw, "a"), 1U);
}

TEST_F(RescueTest, WhatCannotBeMendedIsSaidAndKeptForTheNextTry) {
    add_member("a");
    start_process();
    ASSERT_THAT(client_->freeze(seconds(20)), Succeeds());
    point(SimCall::thaw, "a").fail(EIO, 1);
    kill_freezer();
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_THAT(losses().front().report.failed, ElementsAre(HasSubstr("cannot thaw a")));
    EXPECT_FALSE(client_->thaw());
    client_.reset();
    ASSERT_TRUE(record_there());
    EXPECT_EQ(Record::map(std::move(*open_at(AT_FDCWD, record_path(), O_RDWR)))->members()[0].state.load(), MemberState::frozen);
}

/// A daemon and its freezer that both die while they hold. The members are real folders, which recover() finds by path.
class RecoverTest : public RescueTest {
protected:
    std::string add_folder(const std::string& name, const MountIdentity& identity) {
        auto path = directory_ + "/" + name;
        std::filesystem::create_directory(path);
        UniqueFd fd = std::move(*open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
        world_->adopt(name, fd.get(), identity);
        plan_.members.push_back({.name = name, .mount_path = path, .superblock = identity.superblock, .mount_id = identity.mount_id,
                                 .level = 0, .carried = false, .fd = std::move(fd)});
        return path;
    }
    /// Runs `daemon` in a child that never returns from it orderly: both processes are killed in the end.
    void lose_both(const std::function<void()>& daemon) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        UniqueFd from(ends[0]), to(ends[1]);
        const auto child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL); // a test program that is stopped leaves nobody behind
            start_process();
            daemon();
            static_cast<void>(::write(to.get(), pid_.get(), sizeof *pid_) == 1);
            ::pause();
            ::_exit(0);
        }
        pid_t freezer = -1;
        ASSERT_EQ(::read(from.get(), &freezer, sizeof freezer), static_cast<ssize_t>(sizeof freezer));
        // Stopped first, so that it cannot thaw in the freezer's place.
        ::kill(child, SIGSTOP);
        ASSERT_TRUE(wait_until([&] { return is_stopped(child); }));
        ::kill(freezer, SIGKILL);
        EXPECT_THAT(recover(), IsEmpty()) << "its daemon is alive, and will see to it";
        EXPECT_TRUE(window_under_way(directory_));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ASSERT_TRUE(wait_until([&] { return ::kill(freezer, 0) != 0 || !process_alive(identity_of_record()); }));
    }
    ProcessIdentity identity_of_record() {
        auto record = open_at(AT_FDCWD, record_path(), O_RDWR).and_then(&Record::map);
        if (!record) return {};
        return {.pid = record->header().freezer_pid.load(), .start = record->header().freezer_start.load()};
    }
    std::vector<Recovered> recover(const std::string& mountinfo = "/nonexistent") {
        auto kernel = world_->kernel();
        auto done = quiesced::recover(kernel, directory_, mountinfo);
        EXPECT_THAT(done, Succeeds());
        return done ? std::move(*done) : std::vector<Recovered>{};
    }
};

TEST_F(RecoverTest, TheRecordIsEnoughWhenBothAreLost) {
    add_folder("a", {.superblock = {251, 1}, .mount_id = 7});
    add_folder("b", {.superblock = {251, 2}, .mount_id = 8});
    add_chain("x");
    lose_both([&] {
        ASSERT_THAT(client_->prime(), Succeeds());
        ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    });
    ASSERT_THAT(world_->held(), UnorderedElementsAre("a", "b"));
    ASSERT_EQ(world_->rcu_expedited(), 1);
    const auto recovered = recover();
    ASSERT_EQ(recovered.size(), 1U);
    EXPECT_EQ(recovered[0].set, "67f0a1b200c0ffee");
    EXPECT_THAT(recovered[0].report.thawed, UnorderedElementsAre("a", "b"));
    EXPECT_THAT(recovered[0].report.unprimed, ElementsAre("x"));
    EXPECT_THAT(recovered[0].report.failed, IsEmpty());
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_EQ(world_->rcu_expedited(), 0);
    EXPECT_FALSE(record_there());
    EXPECT_FALSE(window_under_way(directory_));
    EXPECT_THAT(recover(), IsEmpty());
    EXPECT_EQ(calls(SimCall::thaw, "a"), 1U);
}

TEST_F(RecoverTest, SuspendedDevicesAreResumedBeforeAnyPathIsLookedUp) {
    add_folder("a", {.superblock = {251, 1}, .mount_id = 7});
    add_chain("x");
    lose_both([&] {
        ASSERT_THAT(client_->prime(), Succeeds());
        ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
        point(SimCall::resume, "s-x").close();
        std::thread([&] { static_cast<void>(client_->fire()); }).detach();
        ASSERT_TRUE(wait_until([&] { return point(SimCall::resume, "s-x").waiting() == 1; }));
    });
    ASSERT_THAT(world_->held(), UnorderedElementsAre("a", "o-x"));
    point(SimCall::resume, "s-x").open();
    // The identity of a found path is asked once it is open: until the device is resumed this would hang.
    point(SimCall::identify, "a").close();
    auto recovered = std::async(std::launch::async, [&] { return recover(); });
    EXPECT_TRUE(wait_until([&] { return !world_->suspended("o-x"); }));
    point(SimCall::identify, "a").open();
    const auto done = recovered.get();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_THAT(done[0].report.resumed, ElementsAre("x"));
    EXPECT_THAT(done[0].report.failed, IsEmpty());
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_FALSE(record_there());
}

TEST_F(RecoverTest, AFileSystemThatMovedIsFoundInTheMountTable) {
    const auto path = add_folder("a", {.superblock = {251, 1}, .mount_id = 7});
    lose_both([&] { ASSERT_THAT(client_->freeze(seconds(60)), Succeeds()); });
    std::filesystem::rename(path, path + "-moved");
    const auto first = recover();
    ASSERT_EQ(first.size(), 1U);
    EXPECT_THAT(first[0].report.failed, ElementsAre(HasSubstr("cannot reach a")));
    EXPECT_TRUE(record_there()) << "what still holds a file system frozen was forgotten";
    const auto mountinfo = directory_ + "/mountinfo";
    ASSERT_THAT(replace_file_at(AT_FDCWD, mountinfo, "36 1 251:1 / " + path + "-moved rw - ext4 /dev/vda1 rw\n"), Succeeds());
    const auto second = recover(mountinfo);
    ASSERT_EQ(second.size(), 1U);
    EXPECT_THAT(second[0].report.thawed, ElementsAre("a"));
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_FALSE(record_there());
}

TEST_F(RecoverTest, ARecordThatIsOfNoUseIsReportedAndHidesNoOther) {
    add_folder("a", {.superblock = {251, 1}, .mount_id = 7});
    lose_both([&] { ASSERT_THAT(client_->freeze(seconds(60)), Succeeds()); });
    std::filesystem::create_symlink("/etc/passwd", directory_ + "/0000000000000000.window");
    ASSERT_THAT(replace_file_at(AT_FDCWD, directory_ + "/1111111111111111.window", "rubbish"), Succeeds());
    const auto recovered = recover();
    ASSERT_EQ(recovered.size(), 3U);
    EXPECT_EQ(recovered[0].report.failed.size(), 1U);
    EXPECT_EQ(recovered[1].report.failed.size(), 1U);
    EXPECT_THAT(recovered[2].report.thawed, ElementsAre("a"));
    EXPECT_THAT(world_->held(), IsEmpty());
    EXPECT_TRUE(std::filesystem::is_symlink(directory_ + "/0000000000000000.window"));
}

TEST_F(RecoverTest, ARecordWhoseDaemonLivesIsLeftAlone) {
    add_member("a");
    start();
    ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    EXPECT_THAT(recover(), IsEmpty());
    EXPECT_TRUE(world_->frozen("a"));
    EXPECT_TRUE(record_there());
}

TEST_F(RecoverTest, NoDirectoryMeansNothingToRecover) {
    auto kernel = world_->kernel();
    const auto done = quiesced::recover(kernel, directory_ + "/missing", "/nonexistent");
    ASSERT_THAT(done, Succeeds());
    EXPECT_THAT(*done, IsEmpty());
}

TEST(ProcessIdentity, OneselfIsAliveAndARecycledIdIsNot) {
    auto self = this_process();
    EXPECT_GT(self.start, 0);
    EXPECT_TRUE(process_alive(self));
    self.start -= 1;
    EXPECT_FALSE(process_alive(self));
    EXPECT_FALSE(process_alive({}));
}

TEST(ProcessIdentity, AKilledProcessIsNotAliveThoughItIsStillListed) {
    const auto child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    ProcessIdentity identity{.pid = child, .start = 0};
    for (auto start = this_process().start; start < this_process().start + 1000000; ++start) {
        identity.start = start;
        if (process_alive(identity)) break;
    }
    ASSERT_TRUE(process_alive(identity));
    ::kill(child, SIGKILL);
    EXPECT_TRUE(wait_until([&] { return !process_alive(identity); }));
    EXPECT_EQ(::kill(child, 0), 0) << "it is a zombie until somebody waits for it";
    ::waitpid(child, nullptr, 0);
    EXPECT_FALSE(process_alive(identity));
}

} // namespace
} // namespace quiesced
