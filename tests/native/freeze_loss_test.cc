// SPDX-License-Identifier: LGPL-2.1-or-later
// The freezer, the daemon, or both are killed while real file systems are frozen.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/file.h"
#include "freeze/process_identity.h"
#include "freeze/recovery.h"
#include "freeze_fixture.h"

namespace quiesced {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

/// Whether every thread has come to a stop; SIGSTOP does not wait for that.
bool is_stopped(pid_t pid) {
    const auto tasks = "/proc/" + std::to_string(pid) + "/task";
    const auto threads = list_directory_at(AT_FDCWD, tasks).value_or(std::vector<std::string>{});
    return !threads.empty() && std::all_of(threads.begin(), threads.end(), [&](const auto& thread) {
        return read_file(tasks + "/" + thread + "/status").value_or("").find("State:\tT") != std::string::npos;
    });
}

class NativeFreezeLoss : public NativeFreeze {
protected:
    NativeFreezeLoss() {
        for (const auto* type : {"ext4", "xfs", "btrfs"}) plan(add_volume(type, type));
    }
    ~NativeFreezeLoss() override {
        end_daemon();
        client_.reset();
        // A test that failed half-way must not leave the machine changed. The file systems thaw with their volumes.
        if (freezer_ > 0) wait_until([&] { return recover(), !std::filesystem::exists(record_path()); });
    }

    /// The daemon is stopped first: it must not notice that its freezer goes. (A stopped freezer would go on: the end of its
    /// parent leaves its process group orphaned, which the kernel answers with SIGCONT.) Returns when both are gone.
    void kill_both() {
        const auto identity = [&] {
            const auto record = open_at(AT_FDCWD, record_path(), O_RDWR).and_then(&Record::map);
            return record ? ProcessIdentity{record->header().freezer_pid.load(), record->header().freezer_start.load()} : ProcessIdentity{};
        }();
        ASSERT_EQ(identity.pid, freezer_);
        ASSERT_TRUE(process_alive(identity));
        ::kill(daemon_, SIGSTOP);
        ASSERT_TRUE(wait_until([this] { return is_stopped(daemon_); }));
        ::kill(freezer_, SIGKILL);
        end_daemon();
        ASSERT_TRUE(wait_until([&] { return !process_alive(identity); }));
    }
    /// A process that is the daemon and holds all frozen until it is killed. Sets daemon_ and freezer_.
    void start_daemon() {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        const UniqueFd from(ends[0]);
        UniqueFd to(ends[1]);
        daemon_ = ::fork();
        ASSERT_GE(daemon_, 0);
        if (daemon_ == 0) {
            start();
            const pid_t freezer = client_ && client_->freeze(seconds(60)) ? client_->record().header().freezer_pid.load() : -1;
            static_cast<void>(::write(to.get(), &freezer, sizeof freezer) == 1);
            for (;;) ::pause();
        }
        to.reset();
        ASSERT_EQ(::read(from.get(), &freezer_, sizeof freezer_), static_cast<ssize_t>(sizeof freezer_));
        ASSERT_GT(freezer_, 0);
        plan_.members.clear();
    }
    void end_daemon() {
        if (daemon_ <= 0) return;
        ::kill(daemon_, SIGKILL);
        ::waitpid(daemon_, nullptr, 0);
        daemon_ = -1;
    }
    std::vector<std::unique_ptr<WriteProbe>> probe_all() {
        std::vector<std::unique_ptr<WriteProbe>> probes;
        for (const auto& volume : volumes_) probes.push_back(std::make_unique<WriteProbe>(volume->mount_point()));
        return probes;
    }
    /// Milliseconds until all have ended; -1 when they do not.
    static double release_time(const std::vector<std::unique_ptr<WriteProbe>>& probes, Monotonic::time_point since) {
        for (const auto& probe : probes)
            if (!probe->ended(seconds(10))) return -1;
        return to_ms(Monotonic::now() - since);
    }
    std::vector<Recovered> recover() {
        auto kernel = WindowKernel::linux();
        auto done = quiesced::recover(kernel, folder_);
        EXPECT_THAT(done, Succeeds());
        return done ? std::move(*done) : std::vector<Recovered>{};
    }

    pid_t daemon_ = -1;
    pid_t freezer_ = -1;
};

TEST_F(NativeFreezeLoss, TheDaemonThawsWhenTheFreezerIsKilled) {
    start();
    ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    const auto probes = probe_all();
    ::usleep(200'000);
    for (const auto& probe : probes) ASSERT_FALSE(probe->ended());
    const auto killed = Monotonic::now();
    ::kill(client_->record().header().freezer_pid.load(), SIGKILL);
    const auto released = release_time(probes, killed);
    RecordProperty("released_ms", std::to_string(released));
    EXPECT_GE(released, 0);
    EXPECT_LT(released, 1000);
    ASSERT_TRUE(wait_until([&] { return !losses().empty(); }));
    EXPECT_EQ(losses().front().kind, ErrorKind::lost);
    EXPECT_THAT(losses().front().report.thawed, SizeIs(3));
    EXPECT_THAT(losses().front().report.failed, IsEmpty());
}

TEST_F(NativeFreezeLoss, TheFreezerThawsWhenTheDaemonIsKilled) {
    start_daemon();
    const auto probes = probe_all();
    ::usleep(200'000);
    for (const auto& probe : probes) ASSERT_FALSE(probe->ended());
    EXPECT_THAT(recover(), IsEmpty()) << "the record of a window that is under way was touched";
    const auto killed = Monotonic::now();
    end_daemon();
    const auto released = release_time(probes, killed);
    RecordProperty("released_ms", std::to_string(released));
    EXPECT_GE(released, 0);
    EXPECT_LT(released, 1000);
    EXPECT_TRUE(std::filesystem::exists(record_path())) << "nobody was there to remove it";
    EXPECT_TRUE(wait_until([&] {
        EXPECT_THAT(recover(), IsEmpty()) << "nothing was left to do";
        return !std::filesystem::exists(record_path()); // once the freezer's process is gone
    }));
}

TEST_F(NativeFreezeLoss, TheRecordIsEnoughWhenBothAreKilled) {
    start_daemon();
    kill_both();
    for (const auto& volume : volumes_) ASSERT_TRUE(is_frozen(*volume)) << "there is nothing to recover";
    const auto recovered = recover();
    ASSERT_THAT(recovered, SizeIs(1));
    EXPECT_EQ(recovered[0].set, "67f0a1b200c0ffee");
    EXPECT_THAT(recovered[0].report.thawed, SizeIs(3));
    EXPECT_THAT(recovered[0].report.failed, IsEmpty());
    for (const auto& volume : volumes_) EXPECT_FALSE(is_frozen(*volume));
    EXPECT_FALSE(std::filesystem::exists(record_path()));
}

TEST_F(NativeFreezeLoss, ABtrfsThatIsMountedElsewhereNowIsFoundAllTheSame) {
    start_daemon();
    kill_both();
    auto& btrfs = *volumes_[2];
    const auto elsewhere = btrfs.mount_again(true);
    ASSERT_THAT(elsewhere, Succeeds());
    // The killed freezer's threads let go of it one after another.
    ASSERT_TRUE(wait_until([&] { return btrfs.let_go_of_first_mount().has_value(); }));
    const auto recovered = recover();
    ASSERT_THAT(recovered, SizeIs(1));
    EXPECT_THAT(recovered[0].report.thawed, SizeIs(3));
    EXPECT_THAT(recovered[0].report.failed, IsEmpty());
    EXPECT_TRUE(WriteProbe(*elsewhere).ended(seconds(3)));
}

TEST_F(NativeFreezeLoss, AStoppedFreezerIsNoReasonToThawTwice) {
    start();
    ASSERT_THAT(client_->freeze(seconds(60)), Succeeds());
    const auto pid = client_->record().header().freezer_pid.load();
    ::kill(pid, SIGSTOP);
    ::usleep(500'000); // longer than the client's look at a silent freezer
    EXPECT_THAT(losses(), IsEmpty());
    EXPECT_TRUE(is_frozen(*volumes_[0]));
    ::kill(pid, SIGCONT);
    EXPECT_THAT(client_->thaw(), Succeeds());
    for (const auto& slot : client_->record().members()) EXPECT_EQ(slot.error_number.load(), 0);
}

} // namespace
} // namespace quiesced
