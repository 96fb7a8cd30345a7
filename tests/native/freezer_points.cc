// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-freezer-points: the freezer, with the same parts and the real kernel, that stops at one point of the window until
// it is let go on, or killed there. For tests of lost processes only.
//
// A daemon starts its freezer without an environment, so the point is told by files beside the program (beside the name
// that it was started by, which may be a link):
//   PROGRAM.point     its text is the point's name; removing it lets the freezer go on, and so do 20 s. With "cut " before
//                     the name only a window that can cut stops there, and not the one that looks for foreign freezes
//   PROGRAM.reached   made when the point is reached; its text is the freezer's process id
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/file.h"
#include "freeze/freezer.h"
#include "freeze/linux_kernel.h"

namespace quiesced {
namespace {

constexpr int kLooks = 10'000;
constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 2'000'000};

/// Where one thread stops, once.
class Gate {
public:
    explicit Gate(const std::string& program) : point_path_(program + ".point"), reached_path_(program + ".reached") {
        point_ = read_attribute_at(AT_FDCWD, point_path_).value_or("");
        if (!point_.starts_with(kCut)) return;
        point_.erase(0, kCut.size());
        cut_only_ = true;
    }
    /// From here on it is known what the window does.
    void plan(const Record& record) noexcept { wanted_ = !cut_only_ || !record.steps().empty(); }
    void pass(std::string_view point) noexcept {
        if (point != point_ || !wanted_ || reached_.exchange(true)) return;
        std::array<char, 16> pid{};
        const int length = std::snprintf(pid.data(), pid.size(), "%d\n", ::getpid());
        const std::string_view text(pid.data(), static_cast<std::size_t>(length));
        // Under another name first: who sees it shall find the number in it.
        const UniqueFd file(::open((reached_path_ + ".new").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file || ::write(file.get(), text.data(), text.size()) != length) return;
        if (::rename((reached_path_ + ".new").c_str(), reached_path_.c_str()) != 0) return;
        for (int look = 0; look < kLooks && ::access(point_path_.c_str(), F_OK) == 0; ++look) ::nanosleep(&kPause, nullptr);
    }

private:
    static constexpr std::string_view kCut = "cut ";
    std::string point_path_, reached_path_, point_;
    bool cut_only_ = false;
    bool wanted_ = true; ///< settled before any other thread is there
    std::atomic<bool> reached_{false};
};

/// What the decorators know of the window.
struct Window {
    Gate gate;
    const Record* record = nullptr; ///< from get_ready() on
    std::atomic<bool> primed{false};
    std::atomic<std::size_t> freezes_begun{0}, freezes_done{0}, thaws_begun{0}, thaws_done{0};
    std::atomic<std::size_t> frozen{0};
};

class FreezeAtPoints final : public FreezeKernel {
public:
    explicit FreezeAtPoints(Window& window) : window_(window) {}
    int sync(int fd) noexcept override {
        window_.gate.pass(window_.primed.load() ? "flush-again" : "flush");
        return kernel_.sync(fd);
    }
    int freeze(int fd) noexcept override {
        if (window_.freezes_begun.fetch_add(1) == 0) window_.gate.pass("first-freeze");
        if (level(fd) > 0) window_.gate.pass("between-levels");
        const int error = kernel_.freeze(fd);
        if (error == 0) ++window_.frozen;
        const auto done = window_.freezes_done.fetch_add(1) + 1;
        if (done == 1) window_.gate.pass("one-frozen");
        if (window_.record != nullptr && done == window_.record->members().size()) window_.gate.pass("all-frozen");
        return error;
    }
    int thaw(int fd) noexcept override {
        if (window_.thaws_begun.fetch_add(1) == 0) window_.gate.pass("first-thaw");
        const int error = kernel_.thaw(fd);
        const auto done = window_.thaws_done.fetch_add(1) + 1;
        if (done == 1) window_.gate.pass("one-thawed");
        if (done == window_.frozen.load()) window_.gate.pass("last-thaw");
        return error;
    }
    int identify(int fd, MountIdentity& identity) noexcept override { return kernel_.identify(fd, identity); }
    bool killed_thaw_breaks(int fd) noexcept override { return kernel_.killed_thaw_breaks(fd); }
    bool read_only(int fd) noexcept override { return kernel_.read_only(fd); }

private:
    int level(int fd) noexcept {
        MountIdentity identity;
        if (window_.record == nullptr || kernel_.identify(fd, identity) != 0) return 0;
        for (const auto& slot : window_.record->members())
            if (identity.superblock == DeviceNumber{slot.superblock_major, slot.superblock_minor}) return slot.level;
        return 0;
    }
    Window& window_;
    LinuxFreezeKernel kernel_;
};

class DmAtPoints final : public DmKernel {
public:
    explicit DmAtPoints(Window& window) : window_(window) {}
    Result<void> prepare(const Record& record) override {
        window_.record = &record;
        window_.gate.plan(record);
        window_.gate.pass("attached");
        return kernel_.prepare(record);
    }
    int run(std::size_t index) noexcept override {
        const auto& step = window_.record->steps()[index];
        const bool resumes_origin = step.phase == StepPhase::fire && step.op == DmStep::Op::resume && was_suspended(index);
        if (step.phase == StepPhase::prime) {
            window_.primed = true;
            window_.gate.pass("prime");
        }
        if (step.phase == StepPhase::fire && step.op == DmStep::Op::suspend) window_.gate.pass("fire");
        if (step.phase == StepPhase::unprime) window_.gate.pass("unprime");
        if (resumes_origin) window_.gate.pass("cut");
        const int error = kernel_.run(index);
        // The armed snapshot is an error table now.
        if (step.phase == StepPhase::prime && step.op == DmStep::Op::resume) window_.gate.pass("half-primed");
        if (step.phase == StepPhase::fire && step.op == DmStep::Op::suspend) window_.gate.pass("suspended");
        if (step.phase == StepPhase::unprime) window_.gate.pass("half-unprimed");
        if (resumes_origin) window_.gate.pass("fired");
        return error;
    }

    void release() noexcept override { kernel_.release(); }

private:
    [[nodiscard]] bool was_suspended(std::size_t resume) const noexcept {
        const auto steps = window_.record->steps();
        for (std::size_t i = 0; i < resume; ++i)
            if (steps[i].chain == steps[resume].chain && steps[i].phase == StepPhase::fire && steps[i].op == DmStep::Op::suspend &&
                same_device(steps[i], steps[resume]))
                return true;
        return false;
    }
    Window& window_;
    LinuxDmKernel kernel_;
};

class RcuAtPoints final : public RcuSwitch {
public:
    explicit RcuAtPoints(Window& window) : window_(window) {}
    Result<void> prepare() override {
        window_.gate.pass("ready");
        return rcu_.prepare();
    }
    std::int32_t expedite() noexcept override {
        window_.gate.pass("expedite");
        const auto old = rcu_.expedite();
        window_.gate.pass("expedited");
        return old;
    }
    int restore(std::int32_t value) noexcept override {
        window_.gate.pass("restore");
        const int error = rcu_.restore(value);
        window_.gate.pass("restored");
        return error;
    }

private:
    Window& window_;
    LinuxRcuSwitch rcu_;
};

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    constexpr std::string_view option = "--socket=";
    if (argc != 2 || !std::string_view(argv[1]).starts_with(option)) return EXIT_FAILURE;
    quiesced::UniqueFd socket(std::atoi(argv[1] + option.size()));
    // As the freezer does.
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_NAME, "quiesced-freeze");

    quiesced::Window window{.gate = quiesced::Gate(argv[0])};
    quiesced::FreezeAtPoints kernel(window);
    quiesced::DmAtPoints dm(window);
    quiesced::RcuAtPoints rcu(window);
    return quiesced::Freezer(std::move(socket), kernel, dm, rcu, {}).run();
}
