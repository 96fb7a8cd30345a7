// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/check/instance.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/file.h"
#include "base/spawn.h"
#include "plugins/sdk/plugin.h"

namespace quiesced {
namespace {

std::string find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) return name;
    const char* path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        auto candidate = std::string(rest.substr(0, end)) + "/" + name;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return name;
}

int milliseconds_left(Monotonic::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Monotonic::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

/// False when the time is up.
bool wait_for(int fd, short events, Monotonic::time_point deadline) {
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    for (;;) {
        const int ready = ::poll(&entry, 1, milliseconds_left(deadline));
        if (ready > 0) return true;
        if (ready == 0 && Monotonic::now() >= deadline) return false;
        if (ready < 0 && errno != EINTR) return false;
    }
}

} // namespace

Instance::Instance(pid_t pid, UniqueFd pidfd, UniqueFd socket)
    : pid_(pid), pidfd_(std::move(pidfd)), socket_(std::move(socket)) {}

Instance::Instance(Instance&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), socket_(std::move(other.socket_)),
      status_(other.status_), buffer_(std::move(other.buffer_)) {}

Result<Instance> Instance::start(const std::vector<std::string>& argv, int errors) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno("cannot make a socket");
    UniqueFd ours(ends[0]);
    const UniqueFd theirs(ends[1]);
    std::vector<std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    auto pid = spawn_group(find_program(argv.front()), argv, environment, theirs.get(), theirs.get(), errors);
    if (!pid) return pass(pid);
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))); // glibc has a wrapper since 2.36 only
    return Instance(*pid, std::move(pidfd), std::move(ours));
}

Instance::~Instance() {
    if (pid_ > 0) kill();
}

Result<void> Instance::send(std::string_view bytes, std::chrono::milliseconds limit) {
    const auto deadline = Monotonic::now() + limit;
    while (!bytes.empty()) {
        const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return fail_errno("the plugin has closed its input", errno, ErrorKind::lost);
        if (!wait_for(socket_.get(), POLLOUT, deadline)) return fail(ErrorKind::deadline, "the plugin does not read its input");
    }
    return {};
}

/// False at the end of the input.
Result<bool> Instance::fill(Monotonic::time_point deadline) {
    if (!wait_for(socket_.get(), POLLIN, deadline)) return fail(ErrorKind::deadline, "no answer came in time");
    std::array<char, 65536> chunk{};
    const auto got = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno != ECONNRESET) return fail_errno("cannot read from the plugin");
    if (got <= 0) return false;
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    return true;
}

Result<std::string> Instance::read_line(std::chrono::milliseconds limit) {
    const auto deadline = Monotonic::now() + limit;
    for (;;) {
        if (const auto end = buffer_.find('\n'); end != std::string::npos) {
            auto line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        if (buffer_.size() >= kMessageLimit) return fail(ErrorKind::limit, "the answer is longer than 1 MiB");
        const auto more = fill(deadline);
        if (!more) return tl::unexpected<Error>(more.error());
        if (!*more)
            return fail(ErrorKind::lost, buffer_.empty() ? "the plugin closed the connection" : "the plugin closed the connection within a line");
    }
}

bool Instance::says_something(std::chrono::milliseconds limit) {
    if (!buffer_.empty()) return true;
    const auto more = fill(Monotonic::now() + limit);
    return more && *more;
}

void Instance::close() { socket_.reset(); }

void Instance::kill() {
    if (pid_ <= 0 || status_) return;
    ::kill(-pid_, SIGKILL);
    int status = 0;
    if (::waitpid(pid_, &status, 0) == pid_) status_ = status;
}

std::optional<int> Instance::ended(std::chrono::milliseconds limit) {
    if (status_) return status_;
    if (!wait_for(pidfd_.get(), POLLIN, Monotonic::now() + limit)) return std::nullopt;
    // What it has left behind in its group goes with it, as with systemd; before it is reaped, since then the number is free.
    ::kill(-pid_, SIGKILL);
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
    return status_;
}

std::size_t Instance::peak_memory() const {
    const auto text = read_file("/proc/" + std::to_string(pid_) + "/status");
    if (!text) return 0;
    const auto at = text->find("VmHWM:");
    return at == std::string::npos ? 0 : std::strtoull(text->c_str() + at + 6, nullptr, 10) * 1024;
}

} // namespace quiesced
