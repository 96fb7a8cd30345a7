// SPDX-License-Identifier: LGPL-2.1-or-later
#include "log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

namespace quiesced {
namespace {

/// Whether standard error is the stream that systemd made to the journal (JOURNAL_STREAM=DEVICE:INODE, systemd.exec(5)).
bool is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM"); // NOLINT(concurrency-mt-unsafe): before any thread
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

/// sd-daemon(3)
const char* priority(int level) {
    switch (level) {
    case spdlog::level::critical: return "<2>";
    case spdlog::level::err: return "<3>";
    case spdlog::level::warn: return "<4>";
    case spdlog::level::info: return "<6>";
    default: return "<7>";
    }
}

std::string clock_text(std::chrono::system_clock::time_point time) {
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    tm parts{};
    ::localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const auto length = std::strftime(text.data(), text.size(), "%F %T", &parts);
    return {text.data(), length};
}

void write_line(const std::string& line) {
    std::string_view rest = line;
    while (!rest.empty()) {
        const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return; // nobody left to tell
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

} // namespace

class Log::Sink final : public spdlog::sinks::sink {
public:
    explicit Sink(Log& log) : log_(log) {}
    void log(const spdlog::details::log_msg& message) override {
        log_.ring_.push(message.level, {message.payload.data(), message.payload.size()}, message.time);
        log_.wake();
    }
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

private:
    Log& log_;
};

Log::Log(spdlog::level::level_enum level) : journal_(is_journal()), thread_([this] { run(); }) {
    auto logger = std::make_shared<spdlog::logger>("quiesced", std::make_shared<Sink>(*this));
    logger->set_level(level);
    spdlog::set_default_logger(std::move(logger));
}

Log::~Log() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("none"));
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        changed_.notify_one();
    }
    thread_.join();
    write_all();
}

void Log::hold_while(std::function<bool()> held) {
    const std::lock_guard lock(mutex_);
    held_ = std::move(held);
    woken_ = true;
    changed_.notify_one();
}

void Log::wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
}

void Log::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        changed_.wait(lock, [this] { return woken_ || ending_; });
        woken_ = false;
        const auto held = held_;
        lock.unlock();
        if (!held || !held()) write_all();
        lock.lock();
    }
}

void Log::write_all() {
    const auto head = [this](int level, std::chrono::system_clock::time_point time) {
        // journald notes when it gets a line; one that waited for the thaw says when it was logged.
        if (journal_) return std::string(priority(level)) + original_time(time, std::chrono::system_clock::now());
        const auto name = spdlog::level::to_string_view(static_cast<spdlog::level::level_enum>(level));
        return clock_text(time) + " " + std::string(name.data(), name.size()) + ": ";
    };
    const auto lost = ring_.drain([&](const LogRing::Line& line) {
        std::string text(line.view());
        // One entry of the journal is one line.
        for (auto& c : text)
            if (c == '\n') c = ' ';
        write_line(head(line.level, line.time) + text + "\n");
    });
    if (lost > 0)
        write_line(head(spdlog::level::warn, std::chrono::system_clock::now()) + std::to_string(lost) +
                   " lines before these were lost: too many at once\n");
}

} // namespace quiesced
