// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/line_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace quiesced {
namespace {

/// Enough for every answer that is read inside the window, so that reading it takes no memory from the kernel.
constexpr std::size_t kFirstBuffer = 64U * 1024U;

} // namespace

LineChannel::LineChannel(UniqueFd socket) : socket_(std::move(socket)), buffer_(kFirstBuffer, '\0') {}

Result<void> LineChannel::wait(short events, const Limit& limit) const {
    while (true) {
        if (limit.interrupted()) return fail(ErrorKind::wrong_state, "the wait was called off");
        const auto left = limit.until - Monotonic::now();
        if (left <= left.zero()) return fail(ErrorKind::deadline, "the time limit passed");
        const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
        const timespec longest{.tv_sec = static_cast<time_t>(seconds.count()), .tv_nsec = (left - seconds).count()};
        std::array<pollfd, 2> entries{{{socket_.get(), events, 0}, {limit.fd(), POLLIN, 0}}};
        // ppoll and not poll: whole milliseconds are a large part of a short window.
        const int ready = ::ppoll(entries.data(), entries.size(), &longest, nullptr);
        if (entries[0].revents != 0) return {};
        if (ready < 0 && errno != EINTR) return fail_errno("cannot wait for the connection");
    }
}

Result<void> LineChannel::write_line(std::string_view line, const Limit& limit) {
    if (line.size() > kLineLimit)
        return fail(ErrorKind::limit, "a message of " + std::to_string(line.size()) + " bytes is longer than a line may be");
    if (!socket_) return fail(ErrorKind::lost, "the connection is closed");
    while (!line.empty()) {
        // Try first: a line nearly always fits, and then it costs one system call. No SIGPIPE, no blocking.
        const auto sent = ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            line.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (auto ready = wait(POLLOUT, limit); !ready) return ready;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return fail(ErrorKind::lost, "it closed the connection");
        } else if (errno != EINTR) {
            return fail_errno("cannot send");
        }
    }
    return {};
}

Result<void> LineChannel::receive(const Limit& limit) {
    if (start_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + start_, end_ - start_);
        end_ -= start_;
        scanned_ -= start_;
        start_ = 0;
    }
    if (end_ >= kLineLimit)
        return fail(ErrorKind::limit, "it sent a line of more than " + std::to_string(kLineLimit) + " bytes");
    if (end_ == buffer_.size()) buffer_.resize(std::min(buffer_.size() * 4, kLineLimit));
    while (true) {
        if (auto ready = wait(POLLIN, limit); !ready) return ready;
        const auto got = ::recv(socket_.get(), buffer_.data() + end_, buffer_.size() - end_, MSG_DONTWAIT);
        if (got > 0) {
            end_ += static_cast<std::size_t>(got);
            return {};
        }
        if (got == 0 || errno == ECONNRESET)
            return fail(ErrorKind::lost, end_ > start_ ? "it closed the connection in the middle of a line"
                                                       : "it closed the connection");
        if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) return fail_errno("cannot receive");
    }
}

Result<std::string_view> LineChannel::read_line(const Limit& limit) {
    if (!socket_) return fail(ErrorKind::lost, "the connection is closed");
    while (true) {
        const void* newline = std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_);
        if (newline != nullptr) {
            const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - (buffer_.data() + start_));
            const std::string_view line(buffer_.data() + start_, length);
            start_ += length + 1;
            scanned_ = start_;
            return line;
        }
        scanned_ = end_;
        if (auto received = receive(limit); !received) return pass(received);
    }
}

bool LineChannel::has_input() const {
    if (end_ > start_) return true;
    char byte = 0;
    return socket_ && ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool LineChannel::is_closed() const {
    if (end_ > start_) return false;
    if (!socket_) return true;
    char byte = 0;
    const auto got = ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

} // namespace quiesced
