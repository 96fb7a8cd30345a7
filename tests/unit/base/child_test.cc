// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/child.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

/// Here and only here a shell runs: as the child whose behaviour is watched.
Result<ChildOutcome> sh(const std::string& script, const ChildOptions& options = {}) {
    return run_child({"/bin/sh", "-c", script}, options);
}

milliseconds since(Monotonic::time_point start) {
    return std::chrono::duration_cast<milliseconds>(Monotonic::now() - start);
}

/// True when the process is gone or a zombie within 2 s: a killed process needs a moment.
bool dies(pid_t process) {
    for (const auto start = Monotonic::now(); since(start) < milliseconds(2000);) {
        const auto status = read_file("/proc/" + std::to_string(process) + "/stat");
        if (!status || status->find(") Z ") != std::string::npos) return true;
        std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
}

TEST(Child, OutputErrorsAndExitStatusComeBack) {
    const auto outcome = sh("echo out; echo err >&2; exit 7");
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(outcome->output, "out\n");
    EXPECT_EQ(outcome->errors, "err\n");
    EXPECT_EQ(outcome->exit_status, 7);
    EXPECT_FALSE(outcome->timed_out);
    EXPECT_FALSE(outcome->truncated);
    EXPECT_FALSE(outcome->stuck);
}

TEST(Child, AnInterruptKillsTheWholeGroupAndLimitsNothingElse) {
    Interrupt interrupt;
    ChildOptions options;
    options.interrupt = &interrupt;
    const auto normal = sh("echo well", options);
    ASSERT_TRUE(normal) << normal.error().message();
    EXPECT_FALSE(normal->interrupted);
    std::jthread raiser([&] {
        std::this_thread::sleep_for(milliseconds(200)); // house-allow(sleep): so that it usually has begun
        interrupt.raise();
    });
    const auto start = Monotonic::now();
    const auto outcome = sh("trap '' TERM; sleep 1000 & echo $!; wait", options);
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_LT(since(start), milliseconds(10000));
    EXPECT_TRUE(outcome->interrupted);
    EXPECT_FALSE(outcome->timed_out);
    EXPECT_FALSE(outcome->stuck);
    EXPECT_EQ(outcome->exit_status, 128 + SIGKILL);
    ASSERT_FALSE(outcome->output.empty()) << "200 ms were not enough to begin";
    EXPECT_TRUE(dies(static_cast<pid_t>(std::stol(outcome->output))));
}

TEST(Child, ASignalThatEndsItIs128AndItsNumber) {
    EXPECT_EQ(sh("kill -TERM $$")->exit_status, 128 + SIGTERM);
    EXPECT_EQ(sh("kill -KILL $$")->exit_status, 128 + SIGKILL);
}

TEST(Child, ArgumentsArriveAsTheyAreBecauseThereIsNoShell) {
    const auto outcome = run_child({"printf", "%s|", "a b", "$HOME", "*", "", "'; rm -rf x"});
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(outcome->output, "a b|$HOME|*||'; rm -rf x|");
}

TEST(Child, AProgramThatIsNotThereIsAnErrorThatNamesIt) {
    const auto outcome = run_child({"quiesced-no-such-program"});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, ErrorKind::io);
    EXPECT_THAT(outcome.error().message(), HasSubstr("quiesced-no-such-program"));

    const auto by_path = run_child({"/nowhere/program"});
    ASSERT_FALSE(by_path);
    EXPECT_EQ(by_path.error().kind, ErrorKind::io);
    EXPECT_EQ(by_path.error().error_number, ENOENT);
}

TEST(Child, AFileThatCannotBeRunIsAnErrorThatSaysWhy) {
    const auto outcome = run_child({"/etc/passwd"});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, ErrorKind::io);
    EXPECT_EQ(outcome.error().error_number, EACCES);
}

TEST(Child, AnEmptyCommandOrANulByteIsRefused) {
    EXPECT_EQ(run_child({}).error().kind, ErrorKind::invalid_argument);
    EXPECT_EQ(run_child({""}).error().kind, ErrorKind::invalid_argument);
    EXPECT_EQ(run_child({"true", std::string("a\0b", 3)}).error().kind, ErrorKind::invalid_argument);
}

TEST(Child, IsLookedUpInThePathThatItGetsAndNeverInTheCurrentFolder) {
    std::string folder = (std::filesystem::temp_directory_path() / "quiesced-child-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    std::filesystem::create_symlink("/bin/true", folder + "/quiesced-here");
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder);
    ChildOptions options;
    for (const char* path : {"PATH=/nowhere:", "PATH=", "PATH=.", "PATH=:/bin"}) {
        options.environment = {path};
        EXPECT_FALSE(run_child({"quiesced-here"}, options)) << path;
    }
    options.environment = {"PATH=/nowhere:" + folder};
    EXPECT_TRUE(run_child({"quiesced-here"}, options));
    std::filesystem::current_path(before);
    std::filesystem::remove_all(folder);
}

TEST(Child, GetsOnlyTheEnvironmentItIsGiven) {
    ASSERT_EQ(::setenv("QUIESCED_TEST_LEAK", "1", 1), 0);
    EXPECT_EQ(run_child({"env"})->output,
              "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n");
    ChildOptions options;
    options.environment = {"A=1"};
    EXPECT_EQ(run_child({"/usr/bin/env"}, options)->output, "A=1\n");
    ::unsetenv("QUIESCED_TEST_LEAK");
}

TEST(Child, GetsItsInputAndThenTheEndOfIt) {
    ChildOptions options;
    options.input = "hello\nworld\n";
    EXPECT_EQ(run_child({"cat"}, options)->output, "hello\nworld\n");
    EXPECT_EQ(run_child({"cat"})->output, "");
}

TEST(Child, ALargeInputAndALargeOutputAtOnceDoNotDeadlock) {
    ChildOptions options;
    options.input.assign(8U << 20U, 'x');
    options.output_limit = 16U << 20U;
    const auto outcome = run_child({"cat"}, options);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->output, options.input);
    EXPECT_FALSE(outcome->truncated);
}

TEST(Child, ThatDoesNotReadItsInputDoesNotKillUsBySigpipe) {
    ASSERT_NE(::signal(SIGPIPE, SIG_DFL), SIG_ERR);
    ChildOptions options;
    options.input.assign(1U << 20U, 'x');
    const auto outcome = sh("exec <&-; sleep 0.1; exit 3", options);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->exit_status, 3);
}

TEST(Child, EightMebibytesOnBothStreamsAreDrained) {
    ChildOptions options;
    options.output_limit = 8U << 20U;
    const auto outcome = sh("head -c 8388608 /dev/zero & head -c 8388608 /dev/zero >&2; wait", options);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->output.size(), 8U << 20U);
    EXPECT_EQ(outcome->errors.size(), 8U << 20U);
    EXPECT_FALSE(outcome->truncated);
    EXPECT_EQ(outcome->exit_status, 0);
}

TEST(Child, OutputAboveTheLimitIsDroppedAndSaidSoWhileTheChildRunsOn) {
    ChildOptions options;
    options.output_limit = 1000;
    const auto outcome = sh("head -c 1000000 /dev/zero; echo end >&2; exit 5", options);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->output.size(), 1000U);
    EXPECT_EQ(outcome->errors, "end\n");
    EXPECT_TRUE(outcome->truncated);
    EXPECT_EQ(outcome->exit_status, 5);
}

TEST(Child, OutputOfExactlyTheLimitIsNotTruncated) {
    ChildOptions options;
    options.output_limit = 1000;
    const auto outcome = sh("head -c 1000 /dev/zero", options);
    EXPECT_EQ(outcome->output.size(), 1000U);
    EXPECT_FALSE(outcome->truncated);
}

TEST(Child, TheLimitKillsTheWholeGroup) {
    ChildOptions options;
    options.limit = milliseconds(300);
    const auto start = Monotonic::now();
    const auto outcome = sh("sleep 600 & echo $!; echo before; wait; echo after", options);
    ASSERT_TRUE(outcome);
    EXPECT_GE(since(start), milliseconds(300));
    EXPECT_LT(since(start), milliseconds(5000));
    EXPECT_TRUE(outcome->timed_out);
    EXPECT_FALSE(outcome->stuck);
    EXPECT_EQ(outcome->exit_status, 128 + SIGKILL);
    EXPECT_THAT(outcome->output, HasSubstr("before\n"));
    EXPECT_TRUE(dies(std::atoi(outcome->output.c_str())));
}

TEST(Child, TheLimitHoldsAgainstAFloodOfOutput) {
    ChildOptions options;
    options.limit = milliseconds(200);
    const auto start = Monotonic::now();
    const auto outcome = run_child({"yes"}, options);
    EXPECT_TRUE(outcome->timed_out);
    EXPECT_TRUE(outcome->truncated);
    EXPECT_LT(since(start), milliseconds(5000));
}

TEST(Child, TheLimitHoldsAgainstAChildThatIgnoresSignals) {
    ChildOptions options;
    options.limit = milliseconds(200);
    const auto outcome = sh("trap '' TERM INT HUP PIPE; exec sleep 600", options);
    EXPECT_TRUE(outcome->timed_out);
    EXPECT_FALSE(outcome->stuck);
}

TEST(Child, TheLimitHoldsAgainstAStoppedChild) {
    ChildOptions options;
    options.limit = milliseconds(200);
    EXPECT_TRUE(sh("kill -STOP $$", options)->timed_out);
}

TEST(Child, ALimitOfForeverDoesNotOverflow) {
    ChildOptions options;
    options.limit = milliseconds::max();
    EXPECT_FALSE(sh("exit 0", options)->timed_out);
}

TEST(Child, AGrandchildThatHoldsThePipeDoesNotProlongTheWaitAndIsKilled) {
    const auto start = Monotonic::now();
    const auto outcome = sh("sleep 600 & echo $!");
    ASSERT_TRUE(outcome);
    EXPECT_LT(since(start), milliseconds(5000));
    EXPECT_EQ(outcome->exit_status, 0);
    EXPECT_FALSE(outcome->timed_out);
    EXPECT_TRUE(dies(std::atoi(outcome->output.c_str())));
}

TEST(Child, AGrandchildThatLeftTheGroupAndFloodsThePipeDoesNotProlongTheWait) {
    const auto start = Monotonic::now();
    // The flood ends by SIGPIPE as soon as our end is closed.
    const auto outcome = sh("setsid yes & sleep 0.2");
    ASSERT_TRUE(outcome);
    EXPECT_LT(since(start), milliseconds(5000));
    EXPECT_EQ(outcome->exit_status, 0);
}

TEST(Child, GetsNoDescriptorOfOursButTheThreeStandardOnes) {
    // What a library leaks that forgot O_CLOEXEC.
    const UniqueFd leaked(::fcntl(STDERR_FILENO, F_DUPFD, 100));
    ASSERT_GE(leaked.get(), 100);
    const auto outcome = sh("for fd in 0 1 2 " + std::to_string(leaked.get()) +
                            "; do test -e /proc/$$/fd/$fd && printf '%s ' $fd; done");
    EXPECT_EQ(outcome->output, "0 1 2 ");
}

TEST(Child, StartsWithAnEmptySignalMaskAndNothingIgnored) {
    sigset_t set;
    sigset_t old;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGUSR1);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &set, &old), 0);
    const auto handler = ::signal(SIGPIPE, SIG_IGN);
    const auto outcome = run_child({"cat", "/proc/self/status"});
    ::signal(SIGPIPE, handler);
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &old, nullptr), 0);
    EXPECT_THAT(outcome->output, HasSubstr("SigBlk:\t0000000000000000"));
    const auto at = outcome->output.find("SigIgn:\t");
    ASSERT_NE(at, std::string::npos);
    // glibc itself ignores its two internal signals, 32 and 33, in what it spawns.
    EXPECT_EQ(std::strtoull(outcome->output.c_str() + at + 8, nullptr, 16) & ~0x180000000ULL, 0U);
}

TEST(Child, LeavesTheSignalMaskOfTheCallerAsItWas) {
    const auto blocked = [](int number) {
        sigset_t now;
        EXPECT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &now), 0);
        return ::sigismember(&now, number) == 1;
    };
    sigset_t mask;
    ::sigemptyset(&mask);
    ::sigaddset(&mask, SIGUSR1);
    sigset_t old;
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &mask, &old), 0);
    EXPECT_TRUE(run_child({"true"}));
    EXPECT_FALSE(blocked(SIGPIPE));
    EXPECT_TRUE(blocked(SIGUSR1));
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &old, nullptr), 0);
}

TEST(Child, IsTheLeaderOfAGroupOfItsOwn) {
    // Field 5 of stat is the process group; dash has no comm with a space.
    EXPECT_EQ(sh("set -- $(cat /proc/$$/stat); test \"$5\" = $$")->exit_status, 0);
}

TEST(Child, ManyAtOnceFromSeveralThreadsGetEachTheirOwnOutput) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([i] {
            for (int j = 0; j < 10; ++j) {
                const auto text = std::to_string(i) + "." + std::to_string(j);
                const auto outcome = run_child({"echo", text});
                ASSERT_TRUE(outcome) << outcome.error().message();
                EXPECT_EQ(outcome->output, text + "\n");
            }
        });
    for (auto& thread : threads) thread.join();
}

TEST(Child, LeavesNoZombieAndNoDescriptorBehind) {
    const auto open_now = [] { return list_directory_at(AT_FDCWD, "/proc/self/fd").value().size(); };
    const auto before = open_now();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(run_child({"true"}));
    (void)run_child({"/nowhere/program"});
    EXPECT_EQ(open_now(), before);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
}

} // namespace
} // namespace quiesced
