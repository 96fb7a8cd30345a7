// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/scope_exit.h"
#include "base/spawn.h"
#include "base/unique_fd.h"

namespace quiesced {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the program is: `name` itself if it has a slash, else its first place in PATH. Done here, since
/// posix_spawnp() takes the parent's PATH, not the child's.
Result<std::string> find_program(const std::string& name, const std::vector<std::string>& environment) {
    if (name.find('/') != std::string::npos) return name;
    std::string_view path = kDefaultPath;
    for (const std::string_view variable : environment)
        if (variable.starts_with("PATH=")) path = variable.substr(5);
    for (std::string_view rest = path; !name.empty() && !rest.empty();) {
        const auto end = std::min(rest.find(':'), rest.size());
        const auto folder = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        // An empty or relative part means the current folder by tradition; that is a trap, not a feature.
        if (!folder.starts_with('/')) continue;
        auto candidate = std::string(folder) + "/" + name;
        struct stat status {};
        if (::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
            ::access(candidate.c_str(), X_OK) == 0)
            return candidate;
    }
    return fail(ErrorKind::io, "cannot run '" + name + "': there is no such program in " + std::string(path),
                "Install it, or configure its full path.");
}

/// Keeps SIGPIPE away from this thread alone: the disposition belongs to the whole process, which is not ours.
class SigpipeBlock {
public:
    SigpipeBlock() {
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        ::sigemptyset(&pending);
        ::sigpending(&pending);
        was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &old_);
    }
    ~SigpipeBlock() {
        // The one that our own write may have raised must not be delivered by the unblocking.
        const timespec no_wait{};
        while (!was_pending_ && ::sigtimedwait(&pipe_, nullptr, &no_wait) < 0 && errno == EINTR) {}
        ::pthread_sigmask(SIG_SETMASK, &old_, nullptr);
    }
    SigpipeBlock(const SigpipeBlock&) = delete;
    SigpipeBlock& operator=(const SigpipeBlock&) = delete;
    SigpipeBlock(SigpipeBlock&&) = delete;
    SigpipeBlock& operator=(SigpipeBlock&&) = delete;

private:
    sigset_t pipe_{};
    sigset_t old_{};
    bool was_pending_ = false;
};

/// Children that outlived SIGKILL and kKillGrace, so that they do not stay zombies for ever.
class StuckChildren {
public:
    void add(pid_t child) {
        const std::lock_guard lock(mutex_);
        children_.push_back(child);
    }
    void reap() {
        const std::lock_guard lock(mutex_);
        std::erase_if(children_, [](pid_t child) { return ::waitpid(child, nullptr, WNOHANG) != 0; });
    }

private:
    std::mutex mutex_;
    std::vector<pid_t> children_;
};

StuckChildren& stuck_children() {
    static StuckChildren children;
    return children;
}

/// One of the two output streams.
struct Stream {
    UniqueFd fd;
    std::string* text = nullptr;

    /// Reads once. Returns the bytes read; 0 when there is nothing (left), with fd closed at the end of the stream.
    std::size_t read_some(std::size_t limit, bool& truncated) {
        std::array<char, 16384> block; // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
        const auto got = ::read(fd.get(), block.data(), block.size());
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
        if (got <= 0) {
            fd.reset();
            return 0;
        }
        const auto size = static_cast<std::size_t>(got);
        const auto kept = std::min(size, limit - text->size());
        text->append(block.data(), kept);
        truncated = truncated || kept < size;
        return size;
    }
};

/// A started child until it is reaped.
class RunningChild {
public:
    RunningChild(pid_t child, UniqueFd pidfd, UniqueFd in, UniqueFd out, UniqueFd err, const ChildOptions& options)
        : child_(child), pidfd_(std::move(pidfd)), in_(std::move(in)), options_(options),
          rest_(options.input), streams_{Stream{std::move(out), &outcome_.output},
                                         Stream{std::move(err), &outcome_.errors}} {}

    Result<ChildOutcome> finish(Monotonic::time_point deadline) {
        bool killed = false;
        while (!poll_once(Limit(deadline, killed ? nullptr : options_.interrupt))) {
            const bool interrupted = !killed && options_.interrupt != nullptr && options_.interrupt->raised();
            if (!interrupted && Monotonic::now() < deadline) continue;
            if (std::exchange(killed, true)) {
                outcome_.stuck = true;
                break;
            }
            (interrupted ? outcome_.interrupted : outcome_.timed_out) = true;
            deadline = Monotonic::now() + kKillGrace;
            ::kill(-child_, SIGKILL);
            ::kill(child_, SIGKILL); // it may have moved to another group
        }
        // The leader is not reaped yet, so nobody else can have got the group's number.
        ::kill(-child_, SIGKILL);
        for (auto& stream : streams_) drain(stream);
        if (outcome_.stuck) {
            outcome_.exit_status = 128 + SIGKILL;
            stuck_children().add(child_);
            return std::move(outcome_);
        }
        siginfo_t info{};
        while (::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED) != 0)
            if (errno != EINTR) return fail_errno("cannot learn how a child process ended");
        outcome_.exit_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        return std::move(outcome_);
    }

private:
    /// Moves what can be moved. Returns true when the child is gone.
    bool poll_once(const Limit& limit) {
        if (rest_.empty()) in_.reset();
        // A negative descriptor is one that poll() leaves out.
        std::array<pollfd, 5> fds{{{pidfd_.get(), POLLIN, 0},
                                   {in_.get(), POLLOUT, 0},
                                   {streams_[0].fd.get(), POLLIN, 0},
                                   {streams_[1].fd.get(), POLLIN, 0},
                                   {limit.fd(), POLLIN, 0}}};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit.until - Monotonic::now()).count();
        if (::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX))) <= 0)
            return false;
        if (fds[0].revents != 0) return true;
        if (fds[1].revents != 0) feed();
        for (std::size_t i = 0; i < streams_.size(); ++i)
            if (fds.at(2 + i).revents != 0) streams_.at(i).read_some(options_.output_limit, outcome_.truncated);
        return false;
    }

    void feed() {
        const auto written = ::write(in_.get(), rest_.data(), rest_.size());
        if (written >= 0)
            rest_.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EAGAIN && errno != EINTR)
            rest_ = {}; // EPIPE: it does not want its input, which is its own business
    }

    /// What the child wrote before its end is at most one pipe full; more can only come from a process that left the
    /// group, which is not waited for.
    void drain(Stream& stream) {
        const int capacity = stream.fd ? ::fcntl(stream.fd.get(), F_GETPIPE_SZ) : 0;
        for (std::size_t left = capacity > 0 ? static_cast<std::size_t>(capacity) : 0; stream.fd && left > 0;) {
            const auto got = stream.read_some(options_.output_limit, outcome_.truncated);
            if (got == 0) break;
            left -= std::min(left, got);
        }
    }

    pid_t child_;
    UniqueFd pidfd_;
    UniqueFd in_;
    const ChildOptions& options_;
    std::string_view rest_; ///< of the input
    ChildOutcome outcome_;
    std::array<Stream, 2> streams_;
};

Result<void> check_strings(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
    if (argv.empty() || argv.front().empty()) return fail(ErrorKind::invalid_argument, "no program to run is given");
    const auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
    if (std::any_of(argv.begin(), argv.end(), has_nul) || std::any_of(environment.begin(), environment.end(), has_nul))
        return fail(ErrorKind::invalid_argument, "an argument for " + argv.front() + " has a NUL byte");
    return {};
}

} // namespace

void reap_later(pid_t child) {
    stuck_children().add(child);
    stuck_children().reap();
}

Result<ChildOutcome> run_child(const std::vector<std::string>& argv, const ChildOptions& options) {
    const auto start = Monotonic::now();
    stuck_children().reap();
    if (auto checked = check_strings(argv, options.environment); !checked) return pass(checked);
    auto environment = options.environment;
    if (environment.empty()) environment = {"PATH=" + std::string(kDefaultPath), "LC_ALL=C"};
    const auto program = find_program(argv.front(), environment);
    if (!program) return tl::unexpected<Error>(program.error());

    auto in = make_pipe();
    if (!in) return pass(in);
    auto out = make_pipe();
    if (!out) return pass(out);
    auto err = make_pipe();
    if (!err) return pass(err);
    // Of the open file, not the descriptor: only our ends, the child expects ordinary ones.
    for (const int fd : {in->write_end.get(), out->read_end.get(), err->read_end.get()})
        if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return fail_errno("cannot set up a pipe for a child process");

    const SigpipeBlock no_sigpipe;
    const auto child = spawn_group(*program, argv, environment, in->read_end.get(), out->write_end.get(), err->write_end.get());
    if (!child) return tl::unexpected<Error>(child.error());
    in->read_end.reset();
    out->write_end.reset();
    err->write_end.reset();

    // Linux 5.3; not yet reaped, so the number still means our child.
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *child, 0)));
    if (!pidfd) {
        const int error_number = errno;
        ::kill(-*child, SIGKILL);
        reap_later(*child);
        return fail_errno("cannot watch the child process " + *program, error_number);
    }
    // Some callers mean "for ever"; a century is near enough and cannot overflow.
    constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 36525);
    RunningChild running(*child, std::move(pidfd), std::move(in->write_end), std::move(out->read_end),
                         std::move(err->read_end), options);
    return running.finish(start + std::min(options.limit, longest));
}

} // namespace quiesced
