// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace quiesced {

/// The service manager's end of sd_notify(3). It takes every message at once, as that does: a daemon that tells must not wait.
class NotifySocket {
public:
    explicit NotifySocket(const std::string& path) : path_(path), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
        if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) throw std::runtime_error("cannot bind " + path);
        reader_ = std::thread([this] { read(); });
    }
    ~NotifySocket() {
        ::shutdown(fd_.get(), SHUT_RDWR); // ends the recv
        reader_.join();
    }
    NotifySocket(const NotifySocket&) = delete;
    NotifySocket& operator=(const NotifySocket&) = delete;

    /// Waits for a message that has `text` in it, and forgets those before it.
    bool wait_for(const std::string& text) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        std::unique_lock lock(mutex_);
        for (;;) {
            while (!messages_.empty()) {
                const auto message = std::move(messages_.front());
                messages_.pop_front();
                if (message.find(text) != std::string::npos) return true;
            }
            if (came_.wait_until(lock, until) == std::cv_status::timeout) return false;
        }
    }
    [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + path_; }

private:
    void read() {
        std::array<char, 4096> buffer{};
        for (;;) {
            const auto length = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
            if (length <= 0) return;
            const std::lock_guard lock(mutex_);
            messages_.emplace_back(buffer.data(), static_cast<std::size_t>(length));
            came_.notify_all();
        }
    }

    std::string path_;
    UniqueFd fd_;
    std::mutex mutex_;
    std::condition_variable came_;
    std::deque<std::string> messages_;
    std::thread reader_;
};

} // namespace quiesced
