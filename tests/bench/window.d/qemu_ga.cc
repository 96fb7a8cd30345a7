// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bench/window.d/qemu_ga.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "volumes/mountinfo.h"

namespace quiesced::bench {
namespace {

constexpr std::chrono::seconds kAnswerLimit{120};
constexpr std::chrono::seconds kStartLimit{10};
constexpr const char* kProgram = "/qemu-ga";
constexpr const char* kSocket = "/run/qga.sock";
constexpr const char* kOld = "/old";

std::string mount_point_of(std::size_t index) { return "/volumes/" + std::to_string(index); }

/// Paths of the libraries and the dynamic linker, as the linker itself lists them.
Result<std::vector<std::string>> libraries_of(const std::string& program) {
    const auto outcome = run_child({"ldd", program});
    if (!outcome) return tl::unexpected<Error>(outcome.error());
    if (outcome->exit_status != 0) return fail(ErrorKind::io, "ldd " + program + " failed: " + outcome->errors);
    std::vector<std::string> paths;
    std::istringstream words(outcome->output);
    for (std::string word; words >> word;)
        if (word.starts_with('/')) paths.push_back(word);
    return paths;
}

Result<void> copy_to(const std::string& from, const std::string& to) {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(to).parent_path(), error);
    std::filesystem::copy_file(from, to, error); // the file that a link leads to
    if (error) return fail_errno("cannot copy " + from, error.value(), ErrorKind::io);
    return {};
}

/// That nothing of the machine can be reached: only a tmpfs, proc and the devices given.
bool only_sees(const std::vector<std::string>& devices) {
    const auto table = read_mountinfo("/proc/self/mountinfo");
    if (!table || table->entries.empty()) return false;
    return std::all_of(table->entries.begin(), table->entries.end(), [&](const auto& entry) {
        if (entry.mount_point == "/") return entry.file_system == "tmpfs";
        if (entry.mount_point == "/proc") return entry.file_system == "proc";
        return entry.mount_point.starts_with("/volumes/") && std::find(devices.begin(), devices.end(), entry.source) != devices.end();
    });
}

/// In the child: what it can see from here on is `root`.
bool enter_root(const std::string& root) {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 && ::chdir(root.c_str()) == 0 &&
           ::syscall(SYS_pivot_root, ".", kOld + 1) == 0 && ::chdir("/") == 0 && ::umount2(kOld, MNT_DETACH) == 0 && ::rmdir(kOld) == 0;
}

} // namespace

std::string QemuGaContestant::find_program() {
    for (const auto* path : {"/usr/sbin/qemu-ga", "/usr/bin/qemu-ga"})
        if (::access(path, X_OK) == 0) return path;
    return {};
}

Result<std::unique_ptr<QemuGaContestant>> QemuGaContestant::start(const std::string& program, const std::string& folder, const Volumes& volumes) {
    std::unique_ptr<QemuGaContestant> contestant(new QemuGaContestant); // house-allow(new): private constructor, owned at once
    contestant->root_ = folder + "/qemu-ga";
    contestant->all_ = volumes;
    if (auto made = contestant->make_root(program, volumes); !made) return pass(made);
    if (auto launched = contestant->launch(); !launched) return pass(launched);
    if (auto connected = contestant->connect_to(); !connected) return pass(connected);
    return contestant;
}

QemuGaContestant::~QemuGaContestant() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::umount2(root_.c_str(), MNT_DETACH);
    ::rmdir(root_.c_str());
}

Result<void> QemuGaContestant::make_root(const std::string& program, const Volumes& volumes) {
    if (auto made = make_directories(root_); !made) return made;
    if (::mount("tmpfs", root_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=64m") != 0) return fail_errno("cannot mount " + root_);
    for (const auto* name : {kOld, "/dev", "/proc", "/run", "/volumes"})
        if (auto made = make_directories(root_ + name); !made) return made;
    const auto libraries = libraries_of(program);
    if (!libraries) return tl::unexpected<Error>(libraries.error());
    if (auto copied = copy_to(program, root_ + kProgram); !copied) return copied;
    for (const auto& library : *libraries)
        if (auto copied = copy_to(library, root_ + library); !copied) return copied;
    if (::mount("proc", (root_ + "/proc").c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
        return fail_errno("cannot mount " + root_ + "/proc");
    for (std::size_t i = 0; i < volumes.size(); ++i) {
        const auto target = root_ + mount_point_of(i);
        if (auto made = make_directories(target); !made) return made;
        // For btrfs it looks at the device; a node that cannot be opened is enough (MS_NODEV).
        struct stat device {};
        if (::stat(volumes[i]->device().c_str(), &device) != 0 ||
            ::mknod((root_ + volumes[i]->device()).c_str(), S_IFBLK | 0600, device.st_rdev) != 0)
            return fail_errno("cannot make " + root_ + volumes[i]->device());
        if (::mount(volumes[i]->mount_point().c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) return fail_errno("cannot mount " + target);
    }
    return {};
}

Result<void> QemuGaContestant::launch() {
    std::vector<std::string> devices;
    for (const auto* volume : all_) devices.push_back(volume->device());
    pid_ = ::fork();
    if (pid_ < 0) return fail_errno("cannot start qemu-ga");
    if (pid_ > 0) return {};
    // Its own process group: an interrupt from the terminal is for the bench, which thaws first.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = ::open((root_ + "/log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (const int standard : {0, 1, 2}) ::dup2(log, standard);
    if (!enter_root(root_) || !only_sees(devices)) {
        static constexpr std::string_view refusal = "refused: more can be seen than the bench's own file systems\n";
        [[maybe_unused]] const auto written = ::write(2, refusal.data(), refusal.size());
        ::_exit(126);
    }
    ::execl(kProgram, kProgram, "--method=unix-listen", "--path=/run/qga.sock", "--statedir=/run", "--block-rpcs=guest-fsfreeze-freeze",
            nullptr);
    ::_exit(127);
}

Result<void> QemuGaContestant::connect_to() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = root_ + kSocket;
    if (path.size() >= sizeof address.sun_path) return fail(ErrorKind::invalid_argument, path + " is too long for a socket", "Choose a shorter --folder.");
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const auto until = Monotonic::now() + kStartLimit;
    for (;;) {
        socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!socket_) return fail_errno("cannot make a socket");
        if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) break;
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) == pid_) {
            pid_ = -1;
            return fail(ErrorKind::io, "qemu-ga did not start: " + read_file(root_ + "/log").value_or(""));
        }
        if (Monotonic::now() > until) return fail(ErrorKind::deadline, "qemu-ga does not listen");
        ::usleep(10'000);
    }
    const auto answer = call({{"execute", "guest-sync"}, {"arguments", {{"id", 4711}}}});
    if (!answer) return tl::unexpected<Error>(answer.error());
    if (*answer != 4711) return fail(ErrorKind::io, "qemu-ga answered to somebody else: " + answer->dump());
    return {};
}

Result<nlohmann::json> QemuGaContestant::call(const nlohmann::json& request) {
    const auto text = request.dump() + "\n";
    for (std::size_t sent = 0; sent < text.size();) {
        const auto count = ::send(socket_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (count < 0) return fail_errno("cannot ask qemu-ga");
        sent += static_cast<std::size_t>(count);
    }
    const auto until = Monotonic::now() + kAnswerLimit;
    auto end = std::string::npos;
    while ((end = received_.find('\n')) == std::string::npos) {
        pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Monotonic::now()).count();
        if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) == 0) return fail(ErrorKind::deadline, "qemu-ga does not answer");
        std::array<char, 4096> part{};
        const auto count = ::recv(socket_.get(), part.data(), part.size(), 0);
        if (count <= 0) return fail_errno("qemu-ga has hung up: " + read_file(root_ + "/log").value_or(""), errno, ErrorKind::lost);
        received_.append(part.data(), static_cast<std::size_t>(count));
    }
    const auto answer = nlohmann::json::parse(received_.substr(0, end), nullptr, false);
    received_.erase(0, end + 1);
    if (!answer.is_object() || !answer.contains("return")) return fail(ErrorKind::io, "qemu-ga says: " + answer.dump());
    return answer["return"];
}

Result<void> QemuGaContestant::prepare(const Volumes& volumes) {
    mount_points_.clear();
    for (const auto* volume : volumes) {
        const auto at = std::find(all_.begin(), all_.end(), volume);
        if (at == all_.end()) return fail(ErrorKind::internal, "qemu-ga was started without " + volume->mount_point());
        mount_points_.push_back(mount_point_of(static_cast<std::size_t>(at - all_.begin())));
    }
    return {};
}

Result<void> QemuGaContestant::pass_window() {
    const auto frozen = call({{"execute", "guest-fsfreeze-freeze-list"}, {"arguments", {{"mountpoints", mount_points_}}}});
    // Also when it could not freeze all: what it froze counts on being thawed by it.
    const auto thawed = call({{"execute", "guest-fsfreeze-thaw"}});
    for (const auto* answer : {&frozen, &thawed}) {
        if (!*answer) return tl::unexpected<Error>(answer->error());
        if (**answer != mount_points_.size())
            return fail(ErrorKind::io, "qemu-ga froze or thawed " + (*answer)->dump() + " file systems, not " + std::to_string(mount_points_.size()));
    }
    return {};
}

} // namespace quiesced::bench
