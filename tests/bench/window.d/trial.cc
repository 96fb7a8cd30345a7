// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bench/window.d/trial.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/file.h"
#include "base/scope_exit.h"
#include "freeze/freezer_client.h"
#include "freeze/recovery.h"
#include "bench/window.d/write_meter.h"

namespace quiesced::bench {
namespace {

constexpr std::uint64_t kWarmUp = 20; ///< writes of each writer before and after the window
constexpr std::chrono::milliseconds kHoldBeforeKill{100};

std::vector<std::string> folders_of(const Volumes& volumes) {
    std::vector<std::string> folders;
    for (const auto* volume : volumes) folders.push_back(volume->mount_point());
    return folders;
}

void thaw_all(const Volumes& volumes) {
    for (const auto* volume : volumes) static_cast<void>(volume->thaw()); // EINVAL: it was not frozen
}

/// A process that holds all frozen until it is killed, as a daemon would.
class FrozenDaemon {
public:
    FrozenDaemon(const std::string& freezer, const std::string& folder, const Volumes& volumes) {
        std::array<int, 2> go{}, done{};
        if (::pipe2(go.data(), O_CLOEXEC) != 0 || ::pipe2(done.data(), O_CLOEXEC) != 0) return;
        const UniqueFd go_read(go[0]);
        go_ = UniqueFd(go[1]);
        done_ = UniqueFd(done[0]);
        const UniqueFd done_write(done[1]);
        pid_ = ::fork();
        if (pid_ != 0) return;
        ::setpgid(0, 0); // an interrupt from the terminal is for the bench, which thaws first
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        go_.reset();
        QuiescedContestant contestant(freezer, folder, true);
        char byte = 0;
        const bool held = contestant.prepare(volumes) && ::read(go_read.get(), &byte, 1) == 1 && contestant.flush_and_freeze();
        byte = held ? 1 : 0;
        if (::write(done_write.get(), &byte, 1) == 1 && held)
            for (;;) ::pause();
        ::_exit(EXIT_FAILURE);
    }
    ~FrozenDaemon() { kill(); }
    FrozenDaemon(const FrozenDaemon&) = delete;
    FrozenDaemon& operator=(const FrozenDaemon&) = delete;

    /// Errors: kernel.
    Result<void> freeze() {
        char byte = 1;
        if (pid_ <= 0 || ::write(go_.get(), &byte, 1) != 1 || ::read(done_.get(), &byte, 1) != 1 || byte != 1)
            return fail(ErrorKind::kernel, "the process that was to be killed could not freeze");
        return {};
    }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

private:
    pid_t pid_ = -1;
    UniqueFd go_, done_;
};

/// The record that a killed daemon leaves is removed by the next; here, once the freezer is gone.
Result<void> await_recovery(const std::string& folder) {
    auto kernel = WindowKernel::linux();
    const auto until = Monotonic::now() + std::chrono::seconds(10);
    for (;;) {
        if (auto done = recover(kernel, folder); !done) return tl::unexpected<Error>(done.error());
        const auto names = list_directory_at(AT_FDCWD, folder);
        if (!names) return tl::unexpected<Error>(names.error());
        if (std::none_of(names->begin(), names->end(), [](const auto& name) { return name.ends_with(".window"); })) return {};
        if (Monotonic::now() > until) return fail(ErrorKind::deadline, "the freezer of a killed daemon does not end");
        ::usleep(1000);
    }
}

} // namespace

Result<std::vector<std::unique_ptr<LoopVolume>>> make_volumes(const std::string& folder, const std::vector<std::string>& types, unsigned count,
                                                              unsigned mebibytes) {
    std::vector<std::unique_ptr<LoopVolume>> volumes;
    for (unsigned i = 0; i < count; ++i) {
        const auto& type = types[i % types.size()];
        auto volume = LoopVolume::create(folder, type + "-" + std::to_string(i), type, mebibytes);
        if (!volume) return pass(volume);
        volumes.push_back(std::move(*volume));
    }
    return volumes;
}

Result<void> make_dirty(const Volumes& volumes, unsigned mebibytes) {
    const std::string block(1U << 20U, 'd');
    for (const auto* volume : volumes) {
        const auto path = volume->mount_point() + "/data";
        auto file = open_at(AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
        if (!file) return pass(file);
        if (::syncfs(file->get()) != 0) return fail_errno("cannot flush " + volume->mount_point());
    }
    for (const auto* volume : volumes) {
        const auto path = volume->mount_point() + "/data";
        auto file = open_at(AT_FDCWD, path, O_WRONLY);
        if (!file) return pass(file);
        for (unsigned i = 0; i < mebibytes; ++i)
            if (::write(file->get(), block.data(), block.size()) != static_cast<ssize_t>(block.size())) return fail_errno("cannot write " + path);
    }
    return {};
}

Result<Stalled> measure_stall(Contestant& contestant, const Volumes& volumes, std::chrono::milliseconds period) {
    if (auto prepared = contestant.prepare(volumes); !prepared) return pass(prepared);
    auto meters = WriteMeters::start(folders_of(volumes), period);
    if (!meters) return pass(meters);
    ScopeExit thaw([&] { thaw_all(volumes); }); // before the writers are joined
    if (auto written = (*meters)->wait_for_writes(kWarmUp); !written) return pass(written);
    if (auto passed = contestant.pass_window(); !passed) return pass(passed);
    if (auto written = (*meters)->wait_for_writes(kWarmUp); !written) return pass(written);
    thaw.dismiss();
    const auto stalls = (*meters)->stop();
    if (!stalls) return tl::unexpected<Error>(stalls.error());
    if (auto finished = contestant.finish(); !finished) return pass(finished);
    const auto longest = std::max_element(stalls->begin(), stalls->end(), [](const auto& a, const auto& b) { return a.length() < b.length(); });
    return Stalled{.stall = *longest, .volume = volumes[static_cast<std::size_t>(longest - stalls->begin())]->name()};
}

Result<std::chrono::nanoseconds> measure_quiet_window(QuiescedContestant& contestant, const Volumes& volumes) {
    if (auto prepared = contestant.prepare(volumes); !prepared) return pass(prepared);
    ScopeExit thaw([&] { thaw_all(volumes); });
    if (auto passed = contestant.pass_window(); !passed) return pass(passed);
    thaw.dismiss();
    if (auto finished = contestant.finish(); !finished) return pass(finished);
    return contestant.window_length();
}

Result<void> NoContestant::pass_window() {
    ::usleep(50'000);
    return {};
}

Result<std::chrono::nanoseconds> measure_kill_release(const std::string& freezer, const std::string& folder, const Volumes& volumes) {
    FrozenDaemon daemon(freezer, folder, volumes);
    auto meters = WriteMeters::start(folders_of(volumes), std::chrono::milliseconds(1));
    if (!meters) return pass(meters);
    ScopeExit thaw([&] { thaw_all(volumes); });
    if (auto written = (*meters)->wait_for_writes(kWarmUp); !written) return pass(written);
    if (auto frozen = daemon.freeze(); !frozen) return pass(frozen);
    (*meters)->forget(); // what the pre-flush cost
    ::usleep(std::chrono::microseconds(kHoldBeforeKill).count());
    const auto killed = Monotonic::now();
    daemon.kill();
    if (auto written = (*meters)->wait_for_writes(kWarmUp); !written) return pass(written);
    thaw.dismiss();
    const auto stalls = (*meters)->stop();
    if (!stalls) return tl::unexpected<Error>(stalls.error());
    auto last = killed;
    for (std::size_t i = 0; i < volumes.size(); ++i) {
        const auto& stall = (*stalls)[i];
        if (stall.started > killed || stall.ended < killed)
            return fail(ErrorKind::internal, "no write to " + volumes[i]->mount_point() + " waited when the daemon was killed");
        last = std::max(last, stall.ended);
    }
    if (auto recovered = await_recovery(folder); !recovered) return pass(recovered);
    return last - killed;
}

} // namespace quiesced::bench
