// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/protocol.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace quiesced {
namespace {

constexpr std::size_t kControlSize = CMSG_SPACE(kDescriptorsPerMessage * sizeof(int));

Result<void> wait_readable(int socket, Monotonic::time_point until) {
    for (;;) {
        timespec left{};
        const timespec* limit = nullptr;
        if (until != Monotonic::time_point::max()) {
            const auto rest = std::max(until - Monotonic::now(), Monotonic::duration::zero()).count();
            left = {.tv_sec = rest / 1'000'000'000, .tv_nsec = rest % 1'000'000'000};
            limit = &left;
        }
        pollfd entry{.fd = socket, .events = POLLIN, .revents = 0};
        const int count = ::ppoll(&entry, 1, limit, nullptr);
        if (count > 0) return {};
        if (count == 0) return fail(ErrorKind::deadline, "the freezer did not answer in time");
        if (errno != EINTR) return fail_errno("cannot wait for a message");
    }
}

} // namespace

Result<void> send_message(int socket, const FreezerMessage& message, const std::vector<int>& descriptors) {
    if (descriptors.size() > kDescriptorsPerMessage) return fail(ErrorKind::internal, "too many descriptors in one message");
    iovec part{.iov_base = const_cast<FreezerMessage*>(&message), .iov_len = sizeof message};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, kControlSize> control; // NOLINT(cppcoreguidelines-pro-type-member-init)
    if (!descriptors.empty()) {
        control.fill(0);
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
        auto* const rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size() * sizeof(int));
    }
    for (;;) {
        if (::sendmsg(socket, &header, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof message)) return {};
        if (errno == EINTR) continue;
        const auto kind = errno == EPIPE || errno == ECONNRESET ? ErrorKind::lost : ErrorKind::kernel;
        return fail_errno("cannot send a message", errno, kind);
    }
}

Result<ReceivedMessage> receive_message(int socket, Monotonic::time_point until) {
    if (auto ready = wait_readable(socket, until); !ready) return pass(ready);
    ReceivedMessage received;
    iovec part{.iov_base = &received.message, .iov_len = sizeof received.message};
    alignas(cmsghdr) std::array<char, kControlSize> control; // NOLINT(cppcoreguidelines-pro-type-member-init)
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t length = 0;
    do length = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length == 0 || (length < 0 && errno == ECONNRESET)) return fail(ErrorKind::lost, "the other end of the freezer's socket is gone");
    if (length < 0) return fail_errno("cannot receive a message");
    for (auto* rights = CMSG_FIRSTHDR(&header); rights != nullptr; rights = CMSG_NXTHDR(&header, rights)) {
        if (rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) continue;
        const auto count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(rights) + i * sizeof(int), sizeof fd);
            received.descriptors.emplace_back(fd);
        }
    }
    if (length != static_cast<ssize_t>(sizeof received.message) || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return fail(ErrorKind::io, "a message of the wrong size came over the freezer's socket");
    return received;
}

} // namespace quiesced
