// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/sdk/plugin.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace quiesced {
namespace {

constexpr auto kFailureNames = std::to_array<std::pair<FailureKind, std::string_view>>({
    {FailureKind::auth, "auth"},
    {FailureKind::unreachable, "unreachable"},
    {FailureKind::no_space, "no-space"},
    {FailureKind::not_found, "not-found"},
    {FailureKind::busy, "busy"},
    {FailureKind::unsupported, "unsupported"},
    {FailureKind::timeout, "timeout"},
    {FailureKind::internal, "internal"},
});

// JSON-RPC 2.0's own codes, and the first of those left to servers.
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr int kFailed = -32000;

std::string to_line(const Json& message) {
    return message.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string error_line(const Json& id, int code, FailureKind kind, const std::string& message) {
    return to_line({{"jsonrpc", "2.0"},
                    {"id", id},
                    {"error", {{"code", code}, {"message", message}, {"data", {{"kind", failure_name(kind)}}}}}});
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(fd, text.data(), text.size());
        if (written >= 0)
            text.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR)
            return false;
    }
    return true;
}

} // namespace

std::string_view failure_name(FailureKind kind) {
    for (const auto& [entry, name] : kFailureNames)
        if (entry == kind) return name;
    return "internal";
}

FailureKind failure_kind(std::string_view name) {
    for (const auto& [entry, entry_name] : kFailureNames)
        if (entry_name == name) return entry;
    return FailureKind::internal;
}

std::string answer_line(const std::map<std::string, Handler>& handlers, std::string_view line) {
    const Json request = Json::parse(line, nullptr, false);
    if (request.is_discarded()) return error_line(nullptr, kParseError, FailureKind::internal, "the request is no JSON");
    const auto method = request.is_object() ? request.find("method") : request.end();
    if (!request.is_object() || method == request.end() || !method->is_string())
        return error_line(nullptr, kInvalidRequest, FailureKind::internal, "the request is no object with a method");
    const auto found_id = request.find("id");
    if (found_id == request.end()) return "";
    if (!found_id->is_number() && !found_id->is_string())
        return error_line(nullptr, kInvalidRequest, FailureKind::internal, "the request's id is no number and no string");
    const Json& id = *found_id;

    const auto& name = method->get_ref<const std::string&>();
    const auto handler = handlers.find(name);
    if (handler == handlers.end())
        return error_line(id, kMethodNotFound, FailureKind::unsupported, "this plugin has no method '" + name + "'");
    const auto params = request.find("params");
    const Json none = Json::object();
    const Json& arguments = params == request.end() ? none : *params;
    if (!arguments.is_object()) return error_line(id, kInvalidParams, FailureKind::internal, "the params are no object");
    try {
        auto answer = handler->second(arguments);
        if (!answer) return error_line(id, kFailed, answer.error().kind, answer.error().message);
        return to_line({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(*answer)}});
    } catch (const Json::exception& error) {
        return error_line(id, kInvalidParams, FailureKind::internal, "the params of " + name + " are not as they should be: " + error.what());
    }
}

int serve(const std::map<std::string, Handler>& handlers, int input, int output) {
    std::string buffer;
    std::size_t scanned = 0;
    std::array<char, 65536> block{};
    while (true) {
        const auto newline = buffer.find('\n', scanned);
        if (newline != std::string::npos) {
            const auto answer = newline < kMessageLimit ? answer_line(handlers, std::string_view(buffer).substr(0, newline)) : "";
            buffer.erase(0, newline + 1);
            scanned = 0;
            if (newline < kMessageLimit) {
                if (!write_all(output, answer)) return 1;
                continue;
            }
        }
        if (newline != std::string::npos || buffer.size() >= kMessageLimit) {
            // Where the next request would begin is not known any more.
            write_all(output, error_line(nullptr, kInvalidRequest, FailureKind::internal, "the request is longer than 1 MiB"));
            return 1;
        }
        scanned = buffer.size();
        const auto got = ::read(input, block.data(), block.size());
        if (got > 0)
            buffer.append(block.data(), static_cast<std::size_t>(got));
        else if (got == 0)
            return 0;
        else if (errno != EINTR)
            return 1;
    }
}

void start_plugin() {
    ::signal(SIGPIPE, SIG_IGN);
    // MCL_FUTURE too: what prepare allocates is what commit works on.
    if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        log_line(LogLevel::warning, std::string("cannot lock the memory: ") + std::strerror(errno) +
                                        "; set LimitMEMLOCK=infinity in the unit"); // NOLINT(concurrency-mt-unsafe)
}

void log_line(LogLevel level, std::string_view text) {
    std::string line = "<" + std::to_string(static_cast<int>(level)) + ">";
    for (const char c : text.substr(0, 2000)) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    line += '\n';
    // Below systemd it is a socket, where one call can be told not to wait. Elsewhere (a terminal, a pipe) at least do
    // not begin what cannot go on.
    if (::send(STDERR_FILENO, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != ENOTSOCK) return;
    pollfd entry{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&entry, 1, 0) > 0) write_all(STDERR_FILENO, line);
}

} // namespace quiesced
