// SPDX-License-Identifier: LGPL-2.1-or-later
#include "log.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#define SD_JOURNAL_SUPPRESS_LOCATION 1 // of no use to an admin, and each line would carry it
#include <systemd/sd-journal.h>

namespace quiesced {
namespace {

/// Whether standard error is the stream that systemd made to the journal (JOURNAL_STREAM=DEVICE:INODE, systemd.exec(5)).
bool is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM"); // NOLINT(concurrency-mt-unsafe): before any thread
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

/// syslog(3)
int priority(int level) {
    switch (level) {
    case spdlog::level::critical: return LOG_CRIT;
    case spdlog::level::err: return LOG_ERR;
    case spdlog::level::warn: return LOG_WARNING;
    case spdlog::level::info: return LOG_INFO;
    default: return LOG_DEBUG;
    }
}

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

/// The one that lives; there is one at a time.
std::atomic<Log*> current{nullptr};

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
        log_.push(message.level, {message.payload.data(), message.payload.size()}, message.time);
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
    current = this;
}

Log::~Log() {
    current = nullptr;
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

void Log::push(int level, std::string_view text, std::chrono::system_clock::time_point time, Message message, std::string_view fields) {
    ring_.push(level, text, time, static_cast<std::uint16_t>(message), fields);
    wake();
}

void log_event(Message message, LogLevel level, const LogFields& fields, const std::string& text) {
    auto* log = current.load();
    const auto wanted = level_of(level);
    if (log == nullptr || !spdlog::default_logger_raw()->should_log(wanted)) return;
    log->push(wanted, text, std::chrono::system_clock::now(), message, pack_fields(fields));
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
    const auto lost = ring_.drain([&](const LogRing::Line& line) { write(line); });
    if (lost > 0) {
        LogRing::Line line;
        const auto text = std::to_string(lost) + " lines before these were lost: too many at once";
        line.time = std::chrono::system_clock::now();
        line.level = spdlog::level::warn;
        line.length = static_cast<std::uint16_t>(text.size());
        std::copy(text.begin(), text.end(), line.text.begin());
        write(line);
    }
}

void Log::write(const LogRing::Line& line) const {
    std::string text(line.view());
    // One entry of the journal is one line.
    for (auto& c : text)
        if (c == '\n') c = ' ';
    if (journal_) {
        // journald notes when it gets a line; one that waited for the thaw says when it was logged.
        const auto shown = original_time(line.time, std::chrono::system_clock::now()) + text;
        const auto entry = journal_entry(line, priority(line.level), shown);
        std::vector<iovec> parts;
        for (const auto& field : entry) parts.push_back({.iov_base = const_cast<char*>(field.data()), .iov_len = field.size()}); // NOLINT(cppcoreguidelines-pro-type-const-cast): sendv only reads it
        // sd_journal_sendv() calls it a success when there is no socket (systemd 252, journal-send.c): the stream may still be there, with
        // the priorities of sd-daemon(3).
        if (::access(kJournalSocket, F_OK) == 0 && ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) >= 0) return;
        write_line("<" + std::to_string(priority(line.level)) + ">" + shown + "\n");
        return;
    }
    const auto name = spdlog::level::to_string_view(static_cast<spdlog::level::level_enum>(line.level));
    write_line(clock_text(line.time) + " " + std::string(name.data(), name.size()) + ": " + text + "\n");
}

} // namespace quiesced
