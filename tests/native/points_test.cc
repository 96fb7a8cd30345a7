// SPDX-License-Identifier: LGPL-2.1-or-later
// The freezer, its daemon, or both are killed at every point of a window over real file systems. (The points of a cut are
// tried in the guest: this machine may have no device-mapper.)
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include "base/file.h"
#include "base/scope_exit.h"
#include "freeze/process_identity.h"
#include "freeze/recovery.h"
#include "freeze_fixture.h"
#include "leak_check.h"

namespace quiesced {
namespace {

using testing::IsEmpty;

struct Point {
    const char* name;
    bool frozen; ///< something must be frozen there
};

/// In the order of the window; see freezer_points.cc.
constexpr auto kPoints = std::to_array<Point>({
    {"attached", false},       {"ready", false},      {"flush", false},      {"expedite", false},   {"expedited", false},
    {"first-freeze", false},   {"one-frozen", true},  {"between-levels", true}, {"all-frozen", true}, {"first-thaw", true},
    {"one-thawed", true},      {"last-thaw", false},  {"restore", false},    {"restored", false},
});

enum class Lost { freezer, daemon, both };

bool is_stopped(pid_t pid) {
    const auto tasks = "/proc/" + std::to_string(pid) + "/task";
    const auto threads = list_directory_at(AT_FDCWD, tasks).value_or(std::vector<std::string>{});
    return !threads.empty() && std::all_of(threads.begin(), threads.end(), [&](const auto& thread) {
        return read_file(tasks + "/" + thread + "/status").value_or("").find("State:\tT") != std::string::npos;
    });
}

class NativePoints : public NativeFreeze {
protected:
    NativePoints() : program_(folder_ + "/freezer") {
        std::filesystem::create_symlink(freezer_program(), program_);
        auto& outer = add_volume("outer", "ext4");
        add_volume("inner", "ext4", outer.mount_point());
        add_volume("xfs", "xfs");
        check_.freezer = freezer_program();
        check_.records = folder_;
        check_.rcu_expedited = rcu_expedited_now();
    }
    ~NativePoints() override {
        let_go();
        end_daemon();
        // A test that failed half-way must not leave the machine changed. The file systems thaw with their volumes.
        wait_until([&] { return recover(), !std::filesystem::exists(record_path()); });
    }

    /// Takes one window from begin to end, which stops at the point; kills; looks what is left.
    void lose_at(const Point& point, Lost lost) {
        SCOPED_TRACE(point.name);
        std::ofstream(program_ + ".point") << point.name;
        std::filesystem::remove(program_ + ".reached");
        plan_.members.clear();
        plan(*volumes_[0], 1);
        plan(*volumes_[1], 0);
        plan(*volumes_[2], 1);
        start_daemon();
        ASSERT_TRUE(wait_until([this] { return std::filesystem::exists(program_ + ".reached"); })) << "the window does not come there";
        freezer_ = static_cast<pid_t>(std::stol(read_file(program_ + ".reached").value_or("0")));
        ASSERT_GT(freezer_, 1);
        const bool frozen = something_is_frozen();
        EXPECT_EQ(frozen, point.frozen);
        kill(lost);
        if (testing::Test::HasFatalFailure()) return;
        std::vector<std::unique_ptr<WriteProbe>> probes;
        for (const auto& volume : volumes_) probes.push_back(std::make_unique<WriteProbe>(volume->mount_point()));
        for (std::size_t i = 0; i < probes.size(); ++i) EXPECT_TRUE(probes[i]->ended(seconds(5))) << volumes_[i]->name() << " is still frozen";
        EXPECT_THAT(check_.find(), IsEmpty());
    }

private:
    void start_daemon() {
        daemon_ = ::fork();
        ASSERT_GE(daemon_, 0);
        if (daemon_ != 0) return;
        {
            auto client = FreezerClient::start(std::move(plan_), std::make_unique<ProcessLauncher>(program_), WindowKernel::linux(),
                                               {.record_directory = folder_}, {});
            // Each in its turn, whatever became of the one before.
            if (client) {
                static_cast<void>((*client)->flush(seconds(5)));
                static_cast<void>((*client)->prime());
                static_cast<void>((*client)->freeze(seconds(60)));
                static_cast<void>((*client)->fire());
                static_cast<void>((*client)->thaw());
            }
        }
        ::_exit(0);
    }
    bool something_is_frozen() {
        std::vector<std::unique_ptr<WriteProbe>> probes;
        for (const auto& volume : volumes_) probes.push_back(std::make_unique<WriteProbe>(volume->mount_point()));
        return !std::all_of(probes.begin(), probes.end(), [](const auto& probe) { return probe->ended(milliseconds(100)); });
    }
    void kill(Lost lost) {
        const ProcessIdentity freezer = identity_of(freezer_);
        switch (lost) {
        case Lost::freezer:
            ::kill(freezer_, SIGKILL);
            ASSERT_TRUE(wait_until([this] { return ::waitpid(daemon_, nullptr, WNOHANG) == daemon_; })) << "the daemon does not end";
            daemon_ = -1;
            EXPECT_FALSE(std::filesystem::exists(record_path())) << "the daemon has mended it all";
            break;
        case Lost::daemon:
            end_daemon();
            let_go();
            ASSERT_TRUE(wait_until([&] { return !process_alive(freezer); })) << "the freezer does not end";
            EXPECT_THAT(recover(), IsEmpty()) << "the freezer had left something";
            break;
        case Lost::both:
            // Stopped first, so that it does not notice the end of its freezer.
            ::kill(daemon_, SIGSTOP);
            ASSERT_TRUE(wait_until([this] { return is_stopped(daemon_); }));
            ::kill(freezer_, SIGKILL);
            end_daemon();
            ASSERT_TRUE(wait_until([&] { return !process_alive(freezer); }));
            for (const auto& entry : recover()) EXPECT_THAT(entry.report.failed, IsEmpty());
            break;
        }
        let_go();
    }
    static ProcessIdentity identity_of(pid_t pid) {
        // The 22nd field of /proc/PID/stat is told by the record only once the freezer is ready.
        const auto text = read_file("/proc/" + std::to_string(pid) + "/stat").value_or("");
        auto rest = std::string_view(text).substr(text.rfind(") ") + 2);
        for (int field = 3; field < 22; ++field) rest.remove_prefix(rest.find(' ') + 1);
        return {.pid = pid, .start = std::strtoll(std::string(rest.substr(0, rest.find(' '))).c_str(), nullptr, 10)};
    }
    void let_go() const {
        std::error_code ignored;
        std::filesystem::remove(program_ + ".point", ignored);
    }
    void end_daemon() {
        if (daemon_ <= 0) return;
        ::kill(daemon_, SIGKILL);
        ::waitpid(daemon_, nullptr, 0);
        daemon_ = -1;
    }
    std::vector<Recovered> recover() {
        auto kernel = WindowKernel::linux();
        auto done = quiesced::recover(kernel, folder_);
        EXPECT_THAT(done, Succeeds());
        return done ? std::move(*done) : std::vector<Recovered>{};
    }

    std::string program_;
    LeakCheck check_;
    pid_t daemon_ = -1;
    pid_t freezer_ = -1;
};

TEST_F(NativePoints, TheFreezerCanBeKilledAnywhere) {
    for (const auto& point : kPoints) lose_at(point, Lost::freezer);
}

TEST_F(NativePoints, TheDaemonCanBeKilledAnywhere) {
    for (const auto& point : kPoints) lose_at(point, Lost::daemon);
}

TEST_F(NativePoints, BothCanBeKilledAnywhere) {
    for (const auto& point : kPoints) lose_at(point, Lost::both);
}

} // namespace
} // namespace quiesced
