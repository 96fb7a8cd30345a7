// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/exec/armed_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/spawn.h"

namespace quiesced {
namespace {

/// Of each output. More is dropped: the protocol's lines are no longer, and nobody reads a longer complaint.
constexpr std::size_t kOutputLimit = kMessageLimit;

/// Reads what is there. False at the end of the stream.
bool read_some(UniqueFd& fd, std::string& text) {
    std::array<char, 16384> block; // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
    while (fd) {
        const auto got = ::read(fd.get(), block.data(), block.size());
        if (got > 0) {
            const auto kept = std::min(static_cast<std::size_t>(got), kOutputLimit - std::min(kOutputLimit, text.size()));
            text.append(block.data(), kept);
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && errno == EAGAIN) {
            return true;
        } else {
            fd.reset();
        }
    }
    return false;
}

} // namespace

std::string last_line(std::string_view errors, const std::string& otherwise) {
    const auto end = errors.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos) return otherwise;
    errors = errors.substr(0, end + 1);
    const auto newline = errors.rfind('\n');
    return std::string(newline == std::string_view::npos ? errors : errors.substr(newline + 1));
}

std::string describe_end(int exit_status) {
    if (exit_status > 128) return "was killed by signal " + std::to_string(exit_status - 128);
    return "ended with status " + std::to_string(exit_status);
}

Result<ArmedCommand> ArmedCommand::start(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
    auto in = make_pipe();
    if (!in) return pass(in);
    auto out = make_pipe();
    if (!out) return pass(out);
    auto err = make_pipe();
    if (!err) return pass(err);
    for (const int fd : {in->write_end.get(), out->read_end.get(), err->read_end.get()})
        if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return fail_errno("cannot set up a pipe for a command");
    const auto child = spawn_group(argv.front(), argv, environment, in->read_end.get(), out->write_end.get(), err->write_end.get());
    if (!child) return tl::unexpected<Error>(child.error());
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *child, 0))); // Linux 5.3
    if (!pidfd) {
        const int error_number = errno;
        ::kill(-*child, SIGKILL);
        ::waitpid(*child, nullptr, 0);
        return fail_errno("cannot watch " + argv.front(), error_number);
    }
    return ArmedCommand(argv.front(), *child,
                        Handles{.pidfd = std::move(pidfd),
                                .requests = std::move(in->write_end),
                                .unread = std::move(in->read_end),
                                .answers = std::move(out->read_end),
                                .errors = std::move(err->read_end)});
}

ArmedCommand::~ArmedCommand() {
    if (handles_.pidfd) kill_group(); // else moved from
}

void ArmedCommand::kill_group() {
    if (reaped_) return;
    ::kill(-child_, SIGKILL); // not reaped: the number is still this group's
    // A process that is blocked on a frozen file system dies only after the thaw, and this must not wait for that. It is
    // then reaped by init when the plugin ends.
    pollfd entry{.fd = handles_.pidfd.get(), .events = POLLIN, .revents = 0};
    ::poll(&entry, 1, 1000);
    try_reap();
    read_outputs();
}

void ArmedCommand::try_reap() {
    siginfo_t info{};
    if (reaped_ || ::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != child_)
        return;
    // What it started may live on. As long as it is not reaped, nobody else can have got the group's number.
    ::kill(-child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    reaped_ = true;
    exit_status_ = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

void ArmedCommand::read_outputs() {
    read_some(handles_.answers, output_);
    read_some(handles_.errors, errors_);
}

bool ArmedCommand::has_unread() const {
    int bytes = 0;
    return ::ioctl(handles_.unread.get(), FIONREAD, &bytes) == 0 && bytes > 0;
}

ArmedCommand::Event ArmedCommand::wait_event(Monotonic::time_point deadline, int caller, std::string_view& rest) {
    while (true) {
        try_reap(); // before the last look at the pipes, so that what it wrote last is seen
        read_outputs();
        if (output_.find('\n') != std::string::npos) return Event::line;
        if (reaped_) return Event::end;
        const auto left = deadline - Monotonic::now();
        if (left <= left.zero()) return Event::late;
        const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
        const timespec limit{.tv_sec = static_cast<time_t>(seconds.count()), .tv_nsec = (left - seconds).count()};
        // POLLHUP needs no asking; a socket has it when the other side has closed both ways, not after a mere
        // shutdown of its sending side. A negative descriptor is one that is left out.
        std::array<pollfd, 5> fds{{{handles_.pidfd.get(), POLLIN, 0},
                                   {handles_.answers.get(), POLLIN, 0},
                                   {handles_.errors.get(), POLLIN, 0},
                                   {rest.empty() ? -1 : handles_.requests.get(), POLLOUT, 0},
                                   {caller, 0, 0}}};
        if (::ppoll(fds.data(), fds.size(), &limit, nullptr) <= 0) continue;
        if ((fds[4].revents & POLLHUP) != 0) return Event::hung_up;
        if (fds[3].revents != 0) {
            const auto written = ::write(handles_.requests.get(), rest.data(), rest.size());
            if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
            if (rest.empty()) handles_.requests.reset(); // some commands read to the end
        }
    }
}

tl::unexpected<Failure> ArmedCommand::gave_up(FailureKind kind, const std::string& why) {
    kill_group();
    return refuse(kind, program_ + " " + why);
}

tl::unexpected<Failure> ArmedCommand::ended(const char* when) {
    return refuse(FailureKind::internal, program_ + " " + describe_end(exit_status_) + " " + when + ": " +
                                             last_line(errors_, "it says nothing on standard error"));
}

tl::expected<void, Failure> ArmedCommand::wait_ready(Monotonic::time_point deadline) {
    std::string_view nothing;
    switch (wait_event(deadline, -1, nothing)) {
    case Event::line:
        output_.erase(0, output_.find('\n') + 1);
        return {};
    case Event::end: return ended("before it said that it is ready");
    default: return gave_up(FailureKind::timeout, "did not say in time that it is ready (commit_ready = yes)");
    }
}

tl::expected<std::string, Failure> ArmedCommand::exchange(std::string_view request, Monotonic::time_point deadline, int caller) {
    const char* const eager = "must wait for its request on standard input before it does anything; it did not, so "
                              "nobody knows when it took the snapshot (or set preload = no)";
    std::string_view nothing;
    // A look at what has happened since it was started; a deadline in the past does not wait.
    switch (wait_event(Monotonic::time_point(), -1, nothing)) {
    case Event::line: return gave_up(FailureKind::internal, eager);
    case Event::end:
        return exit_status_ == 0 ? gave_up(FailureKind::internal, eager) : ended("before its request came");
    default: break;
    }
    const auto written = ::write(handles_.requests.get(), request.data(), request.size());
    auto rest = request.substr(written > 0 ? static_cast<std::size_t>(written) : 0);
    if (rest.empty()) handles_.requests.reset();
    const auto event = wait_event(deadline, caller, rest);
    if (event == Event::late) return gave_up(FailureKind::timeout, "took longer than its limit and was killed");
    if (event == Event::hung_up) return gave_up(FailureKind::internal, "was killed: nobody waits for its answer any more");
    if (event == Event::end && exit_status_ != 0) return ended("in commit");
    if (!rest.empty() || has_unread()) return gave_up(FailureKind::internal, eager);
    if (event == Event::end) return output_;
    return output_.substr(0, output_.find('\n'));
}

tl::expected<void, Failure> ArmedCommand::wait_end(Monotonic::time_point deadline) {
    std::string_view nothing;
    while (!reaped_) {
        output_.clear(); // it has answered; what it says now is nobody's
        if (wait_event(deadline, -1, nothing) == Event::late)
            return gave_up(FailureKind::timeout, "did not end after its answer in commit and was killed");
    }
    if (exit_status_ != 0) return ended("after its answer in commit");
    return {};
}

std::string ArmedCommand::take_errors() {
    read_some(handles_.errors, errors_);
    return std::exchange(errors_, {});
}

} // namespace quiesced
