// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arrays/json_rpc.h"
#include "base/unique_fd.h"

namespace quiesced {

inline void send_text(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

inline std::string result_line(const Json& id, const Json& result) {
    return Json{{"jsonrpc", "2.0"}, {"id", id}, {"result", result}}.dump() + "\n";
}

inline std::string failure_line(const Json& id, const std::string& kind, const std::string& message) {
    return Json{{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", -32000}, {"message", message}, {"data", {{"kind", kind}}}}}}.dump() + "\n";
}

inline std::pair<UniqueFd, UniqueFd> socket_pair() {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "quiesced-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    TemporaryDirectory(TemporaryDirectory&&) = delete;
    TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
    [[nodiscard]] std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }

private:
    std::string path_;
};

/// A plugin in a thread, behind a socket of its own. Each method has a reaction, which gets the connection and the
/// request and sends what it likes; a method without one is answered with an empty object. False closes the connection.
class FakePlugin {
public:
    using Reaction = std::function<bool(int connection, const Json& request)>;

    FakePlugin(const std::string& directory, const std::string& name) {
        socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, (directory + "/" + name + ".sock").c_str(), sizeof address.sun_path - 1);
        if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(socket_.get(), 8) != 0)
            throw std::runtime_error("cannot listen");
        answer("describe", {{"name", name}, {"version", "1"}, {"vendor", "test"}, {"protocols", {1}}, {"capabilities", Json::array()}});
        thread_ = std::thread([this] { run(); });
    }
    ~FakePlugin() {
        ::shutdown(socket_.get(), SHUT_RDWR);
        thread_.join();
    }
    FakePlugin(const FakePlugin&) = delete;
    FakePlugin& operator=(const FakePlugin&) = delete;
    FakePlugin(FakePlugin&&) = delete;
    FakePlugin& operator=(FakePlugin&&) = delete;

    void react(const std::string& method, Reaction reaction) {
        const std::lock_guard lock(mutex_);
        reactions_[method] = std::move(reaction);
    }
    void answer(const std::string& method, const Json& result) {
        react(method, [result](int connection, const Json& request) {
            send_text(connection, result_line(request["id"], result));
            return true;
        });
    }
    void refuse(const std::string& method, const std::string& kind, const std::string& message) {
        react(method, [=](int connection, const Json& request) {
            send_text(connection, failure_line(request["id"], kind, message));
            return true;
        });
    }
    /// Methods asked so far, without describe.
    [[nodiscard]] std::vector<std::string> methods() const {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> names;
        for (const auto& request : requests_)
            if (request["method"] != "describe") names.push_back(request["method"]);
        return names;
    }
    /// Params of the last request of that method; null when there was none.
    [[nodiscard]] Json last(const std::string& method) const {
        const std::lock_guard lock(mutex_);
        Json params;
        for (const auto& request : requests_)
            if (request["method"] == method) params = request["params"];
        return params;
    }
    [[nodiscard]] int connections() const {
        const std::lock_guard lock(mutex_);
        return connections_;
    }

private:
    void run() {
        std::vector<std::thread> threads;
        std::vector<UniqueFd> connections;
        while (true) {
            UniqueFd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!connection) break;
            {
                const std::lock_guard lock(mutex_);
                ++connections_;
            }
            threads.emplace_back([this, fd = connection.get()] { serve(fd); });
            connections.push_back(std::move(connection));
        }
        for (const auto& connection : connections) ::shutdown(connection.get(), SHUT_RDWR);
        for (auto& thread : threads) thread.join();
    }
    void serve(int connection) {
        std::string buffer;
        std::array<char, 65536> block{};
        while (true) {
            const auto got = ::recv(connection, block.data(), block.size(), 0);
            if (got <= 0) break;
            buffer.append(block.data(), static_cast<std::size_t>(got));
            for (auto newline = buffer.find('\n'); newline != std::string::npos; newline = buffer.find('\n')) {
                const Json request = Json::parse(buffer.substr(0, newline));
                buffer.erase(0, newline + 1);
                Reaction reaction = [](int fd, const Json& message) {
                    send_text(fd, result_line(message["id"], Json::object()));
                    return true;
                };
                {
                    const std::lock_guard lock(mutex_);
                    requests_.push_back(request);
                    if (const auto found = reactions_.find(request["method"]); found != reactions_.end()) reaction = found->second;
                }
                if (!reaction(connection, request)) {
                    ::shutdown(connection, SHUT_RDWR);
                    return;
                }
            }
        }
    }

    UniqueFd socket_;
    std::thread thread_;
    mutable std::mutex mutex_;
    std::map<std::string, Reaction> reactions_;
    std::vector<Json> requests_;
    int connections_ = 0;
};

} // namespace quiesced
