// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/journal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/file.h"
#include "freeze/linux_kernel.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;

Result<UniqueFd> connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(ErrorKind::io, path + " is too long for a socket's name");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno("cannot reach journald at " + path, errno, ErrorKind::io);
    return fd;
}

/// One answer, which ends with a NUL.
Result<std::string> read_answer(int fd, Monotonic::time_point until) {
    std::string answer;
    std::array<char, 4096> part{};
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Monotonic::now()).count();
        pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
        const int ready = left <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return fail(ErrorKind::deadline, "journald did not answer in time");
        const auto length = ::read(fd, part.data(), part.size());
        if (length < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (length <= 0) return fail(ErrorKind::lost, "journald ended the connection without an answer");
        answer.append(part.data(), static_cast<std::size_t>(length));
        if (const auto end = answer.find('\0'); end != std::string::npos) return answer.substr(0, end);
    }
}

} // namespace

std::optional<std::uint64_t> VarlinkJournal::mount() const {
    struct stat status {};
    if (::stat(paths_.flushed.c_str(), &status) != 0) return std::nullopt;
    const auto folder = open_at(AT_FDCWD, paths_.persistent, O_RDONLY | O_DIRECTORY);
    MountIdentity identity;
    if (!folder || LinuxFreezeKernel().identify(folder->get(), identity) != 0) return std::nullopt;
    return identity.mount_id;
}

Result<void> VarlinkJournal::call(const std::string& method) const {
    const auto until = Monotonic::now() + limit_;
    auto socket = connect_to(paths_.socket);
    if (!socket) return pass(socket);
    const auto question = Json{{"method", method}, {"parameters", Json::object()}}.dump() + '\0';
    // Shorter than any socket's buffer: it goes out as a whole or not at all.
    if (::send(socket->get(), question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size()))
        return fail_errno("cannot speak to journald", errno, ErrorKind::io);
    const auto answer = read_answer(socket->get(), until);
    if (!answer) return tl::unexpected<Error>(answer.error());
    const auto json = Json::parse(*answer, nullptr, false);
    if (!json.is_object()) return fail(ErrorKind::io, "journald answered with what is no JSON object");
    if (const auto error = json.find("error"); error != json.end())
        return fail(ErrorKind::io, "journald refused " + method + ": " + (error->is_string() ? error->get<std::string>() : error->dump()));
    return {};
}

} // namespace quiesced
