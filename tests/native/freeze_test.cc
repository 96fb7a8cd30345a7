// SPDX-License-Identifier: LGPL-2.1-or-later
// Windows of the real freezer over real file systems on loop devices.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "base/child.h"
#include "base/file.h"
#include "freeze/linux_kernel.h"
#include "freeze_fixture.h"
#include "leak_check.h"

namespace quiesced {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::array<const char*, 3> kTypes{"ext4", "xfs", "btrfs"};

struct Faults {
    long minor = 0, major = 0;
};

/// Page faults of a process so far: fields 10 and 12 of /proc/PID/stat.
Faults faults_of(int pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/stat").value_or("");
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    Faults faults;
    for (int i = 3; i < 10; ++i) fields >> skipped;
    fields >> faults.minor >> skipped >> faults.major;
    return faults;
}

TEST_F(NativeFreeze, ThreeFileSystemsAreFrozenTogetherAndWritesWaitForTheThaw) {
    for (const auto* type : kTypes) plan(add_volume(type, type));
    for (const auto& volume : volumes_) volume->write_some();
    start();
    ASSERT_THAT(client_->flush(seconds(10)), Succeeds());
    const auto pid = client_->record().header().freezer_pid.load();
    const auto before = faults_of(pid);
    ASSERT_THAT(client_->freeze(seconds(30)), Succeeds());
    std::vector<std::unique_ptr<WriteProbe>> probes;
    for (const auto& volume : volumes_) probes.push_back(std::make_unique<WriteProbe>(volume->mount_point()));
    ::usleep(300'000);
    for (const auto& probe : probes) EXPECT_FALSE(probe->ended());
    if (read_attribute_at(AT_FDCWD, "/sys/kernel/rcu_normal").value_or("") == "0") {
        EXPECT_EQ(rcu_expedited_now(), 1);
    }
    ASSERT_THAT(client_->thaw(), Succeeds());
    const auto after = faults_of(pid);
    for (const auto& probe : probes) EXPECT_TRUE(probe->ended(seconds(5)));
    EXPECT_EQ(after.minor, before.minor) << "a page fault inside the window";
    EXPECT_EQ(after.major, before.major);
    EXPECT_EQ(client_->record().header().minor_faults.load(), 0) << "as the freezer itself counts them, from getrusage";
    EXPECT_EQ(client_->record().header().major_faults.load(), 0);
    for (const auto& slot : client_->record().members()) {
        EXPECT_EQ(slot.state.load(), MemberState::thawed);
        EXPECT_EQ(slot.error_number.load(), 0);
    }
    client_.reset();
    EXPECT_THAT(losses(), IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(record_path()));
}

TEST_F(NativeFreeze, TheDeadlineThaws) {
    for (const auto* type : kTypes) plan(add_volume(type, type));
    start();
    ASSERT_THAT(client_->freeze(milliseconds(400)), Succeeds());
    EXPECT_TRUE(is_frozen(*volumes_[0]));
    EXPECT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_EQ(losses().front().kind, ErrorKind::deadline);
    for (const auto& volume : volumes_) EXPECT_FALSE(is_frozen(*volume));
    EXPECT_THAT(client_->thaw(), Succeeds());
}

TEST_F(NativeFreeze, AFileSystemInAFileOfAnotherIsFrozenFirst) {
    auto& lower = add_volume("lower", "xfs");
    auto& upper = add_volume("upper", "ext4", lower.mount_point());
    auto& other = add_volume("other", "btrfs", lower.mount_point());
    plan(lower, 1);
    plan(upper, 0);
    plan(other, 0);
    for (int round = 0; round < 3; ++round) {
        for (const auto& volume : volumes_) volume->write_some(); // dirty data is what makes the other order hang
        if (plan_.members.empty()) {
            plan(lower, 1);
            plan(upper, 0);
            plan(other, 0);
            plan_.set = "67f0a1b200c0ffee";
        }
        start();
        ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
        for (const auto& volume : volumes_) EXPECT_TRUE(is_frozen(*volume));
        const auto members = client_->record().members();
        EXPECT_LE(members[1].freeze_ended.load(), members[0].freeze_started.load());
        EXPECT_LE(members[2].freeze_ended.load(), members[0].freeze_started.load());
        ASSERT_THAT(client_->thaw(), Succeeds());
        EXPECT_LE(members[0].thaw_ended.load(), members[1].thaw_started.load());
        client_.reset();
        plan_ = {};
    }
}

TEST_F(NativeFreeze, AFileSystemThatIsMountedThreeTimesIsFrozenOnceEverywhere) {
    auto& volume = add_volume("thrice", "ext4");
    const auto bind = volume.mount_again(true);
    const auto second = volume.mount_again(false);
    ASSERT_THAT(bind, Succeeds());
    ASSERT_THAT(second, Succeeds());
    plan(volume);
    start();
    ASSERT_THAT(client_->freeze(seconds(10)), Succeeds());
    for (const auto& path : {volume.mount_point(), *bind, *second}) EXPECT_FALSE(WriteProbe(path).ended(milliseconds(200))) << path;
    ASSERT_THAT(client_->thaw(), Succeeds());
    for (const auto& path : {volume.mount_point(), *bind, *second}) EXPECT_TRUE(WriteProbe(path).ended(seconds(3))) << path;
}

TEST_F(NativeFreeze, AForeignFreezeIsReportedAndStays) {
    for (const auto* type : kTypes) plan(add_volume(type, type));
    ASSERT_THAT(volumes_[1]->freeze(), Succeeds());
    start();
    EXPECT_THAT(client_->freeze(seconds(10)), FailsWith(ErrorKind::foreign_freeze, "already frozen by somebody else"));
    EXPECT_FALSE(is_frozen(*volumes_[0]));
    EXPECT_FALSE(is_frozen(*volumes_[2]));
    EXPECT_THAT(client_->thaw(), Succeeds());
    client_.reset();
    EXPECT_TRUE(is_frozen(*volumes_[1])) << "the freeze of somebody else was taken away";
    EXPECT_THAT(volumes_[1]->thaw(), Succeeds());
}

TEST_F(NativeFreeze, AMountPointThatIsNoMountAnyMoreIsRefusedAndItsParentNotFrozen) {
    auto& outer = add_volume("outer", "xfs");
    auto& inner = add_volume("inner", "ext4", outer.mount_point());
    plan(inner);
    const auto path = inner.mount_point();
    plan_.members[0].fd.reset(); // it keeps the mount
    ASSERT_EQ(::umount2(path.c_str(), 0), 0);
    auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    ASSERT_THAT(fd, Succeeds());
    ASSERT_THAT(outer.check_own(fd->get()), Succeeds()) << "it has to be the test's own file system that is at stake";
    plan_.members[0].fd = std::move(*fd);
    start();
    EXPECT_THAT(client_->freeze(seconds(10)), FailsWith(ErrorKind::no_such_volume, "no longer the file system"));
    EXPECT_FALSE(is_frozen(outer));
    EXPECT_EQ(client_->record().members()[0].state.load(), MemberState::refused);
}

TEST_F(NativeFreeze, TheHarnessRefusesWhatIsNotItsOwn) {
    auto& one = add_volume("one", "ext4");
    auto& two = add_volume("two", "btrfs");
    for (const std::string path : {"/", "/tmp", "/proc", "/dev"}) {
        auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
        ASSERT_THAT(fd, Succeeds());
        EXPECT_FALSE(one.check_own(fd->get())) << path;
        EXPECT_FALSE(two.check_own(fd->get())) << path;
    }
    EXPECT_FALSE(one.check_own(two.member()->fd.get()));
    EXPECT_FALSE(two.check_own(one.member()->fd.get()));
}

TEST_F(NativeFreeze, TheLeakCheckFindsAFrozenFileSystemAndDoesNotHang) {
    auto& volume = add_volume("frozen", "ext4");
    LeakCheck check;
    check.rcu_expedited = rcu_expedited_now();
    check.freezer = freezer_program();
    check.records = folder_;
    check.patience = milliseconds(400);
    EXPECT_THAT(check.find(), IsEmpty());
    ASSERT_THAT(volume.freeze(), Succeeds());
    const auto found = check.find();
    EXPECT_THAT(volume.thaw(), Succeeds());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_THAT(found[0], HasSubstr(volume.mount_point()));
    check.rcu_expedited = 7;
    check.loop_backing = folder_;
    std::ofstream(record_path()) << "x";
    const auto others = check.find();
    ASSERT_EQ(others.size(), 3U) << testing::PrintToString(others);
    EXPECT_THAT(others[0], HasSubstr("rcu_expedited"));
    EXPECT_THAT(others[1], HasSubstr("67f0a1b200c0ffee.window"));
    EXPECT_THAT(others[2], HasSubstr("frozen.img"));
}

TEST_F(NativeFreeze, InsideTheWindowItOpensNothingRunsNothingAndTakesNoMemory) {
    for (const auto* type : kTypes) plan(add_volume(type, type));
    start();
    ASSERT_THAT(client_->flush(seconds(10)), Succeeds());
    const auto pid = std::to_string(client_->record().header().freezer_pid.load());
    const auto trace = folder_ + "/trace";
    // Traces until the freezer ends. ioctl is among them to show that it saw the window.
    const auto tracer = ::fork();
    if (tracer == 0) {
        const auto calls = "--trace=ioctl,open,openat,openat2,execve,execveat,fork,vfork,clone,clone3,mmap,mremap,brk,munmap,write,sendmsg";
        const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        ::dup2(null, 1);
        ::dup2(null, 2);
        ::execlp("strace", "strace", "--follow-forks", "--attach", pid.c_str(), "--output", trace.c_str(), calls, nullptr);
        ::_exit(127);
    }
    const auto traced = [&] { return read_file("/proc/" + pid + "/status").value_or("").find("TracerPid:\t0\n") == std::string::npos; };
    if (!wait_until(traced, seconds(3))) {
        ::kill(tracer, SIGKILL);
        ::waitpid(tracer, nullptr, 0);
        GTEST_SKIP() << "missing: strace, or the right to trace";
    }
    ::usleep(200'000); // the other threads
    ASSERT_THAT(client_->freeze(seconds(30)), Succeeds());
    ASSERT_THAT(client_->thaw(), Succeeds());
    client_.reset();
    ASSERT_TRUE(wait_until([&] { return ::waitpid(tracer, nullptr, WNOHANG) == tracer; }));
    int freezes = 0, thaws = 0;
    bool inside = false;
    std::multiset<std::string> frozen, thawed; // descriptors
    std::ifstream lines(trace);
    for (std::string line; std::getline(lines, line);) {
        freezes += line.find("FIFREEZE") != std::string::npos && line.find("resumed") == std::string::npos ? 1 : 0;
        for (auto& [call, descriptors] : {std::pair{", FIFREEZE", &frozen}, {", FITHAW", &thawed}})
            if (const auto at = line.find(call); at != std::string::npos) descriptors->insert(line.substr(line.find("ioctl("), at - line.find("ioctl(")));
        inside = inside || freezes > 0;
        if (inside && thaws < 3) {
            for (const auto* call : {"open", "exec", "fork", "clone", "mmap", "mremap", "brk", "munmap"})
                EXPECT_THAT(line, Not(HasSubstr(call)));
        }
        thaws += line.find("FITHAW") != std::string::npos && line.find("resumed") == std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(freezes, 3);
    EXPECT_EQ(thaws, 3);
    EXPECT_EQ(frozen.size(), 3U);
    EXPECT_EQ(std::set<std::string>(frozen.begin(), frozen.end()).size(), 3U) << "one was frozen twice";
    EXPECT_EQ(thawed, frozen) << "not exactly once each on the descriptors that were frozen";
}

TEST_F(NativeFreeze, AFreezerOf256FileSystemsStaysSmall) {
    // What counts is a thread, a descriptor and a place in the record for each: 256 times the same file system, which is not frozen.
    auto& volume = add_volume("one", "ext4");
    for (int i = 0; i < 256; ++i) plan(volume);
    start();
    ASSERT_THAT(client_->flush(seconds(30)), Succeeds());
    const auto status = read_file("/proc/" + std::to_string(client_->record().header().freezer_pid.load()) + "/status").value_or("");
    const auto at = status.find("VmHWM:");
    ASSERT_NE(at, std::string::npos);
    const auto peak = std::stol(status.substr(at + 6));
    RecordProperty("peak_kib", std::to_string(peak));
    EXPECT_LE(peak, 8192) << status;
}

} // namespace
} // namespace quiesced
