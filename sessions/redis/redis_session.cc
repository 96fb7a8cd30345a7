// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sessions/redis/redis_session.h"

#include <sys/time.h>

#include <algorithm>
#include <sstream>
#include <thread>

namespace quiesced {
namespace {

/// A line "key:value" of INFO; "" where there is none.
std::string info_value(const std::string& info, const std::string& key) {
    std::istringstream lines(info);
    for (std::string line; std::getline(lines, line);) {
        while (line.ends_with('\r')) line.pop_back();
        if (line.starts_with(key + ":")) return line.substr(key.size() + 1);
    }
    return {};
}

} // namespace

RedisSession::~RedisSession() {
    if (paused_) static_cast<void>(ask({"CLIENT", "UNPAUSE"}));
}

Result<std::string> RedisSession::ask(const std::vector<std::string>& words) {
    std::vector<const char*> arguments;
    std::vector<std::size_t> lengths;
    for (const auto& word : words) {
        arguments.push_back(word.data());
        lengths.push_back(word.size());
    }
    const std::unique_ptr<void, decltype(&freeReplyObject)> answer(
        ::redisCommandArgv(connection_.get(), static_cast<int>(words.size()), arguments.data(), lengths.data()), &freeReplyObject);
    if (!answer) return fail(ErrorKind::lost, "the connection to Redis was lost: " + std::string(connection_->errstr));
    const auto& reply = *static_cast<const redisReply*>(answer.get());
    std::string text = reply.str == nullptr ? std::string() : std::string(reply.str, reply.len);
    // The command's name, not its words: one of them may be a password.
    if (reply.type == REDIS_REPLY_ERROR) return fail(ErrorKind::writer_failed, "Redis refused " + words.front() + ": " + text);
    return text;
}

Result<void> RedisSession::connect(std::chrono::milliseconds limit) {
    const timeval time{.tv_sec = static_cast<time_t>(limit.count() / 1000), .tv_usec = static_cast<suseconds_t>(limit.count() % 1000 * 1000)};
    connection_.reset(settings_.socket.empty() ? ::redisConnectWithTimeout(settings_.host.c_str(), settings_.port, time)
                                               : ::redisConnectUnixWithTimeout(settings_.socket.c_str(), time));
    if (!connection_ || connection_->err != 0)
        return fail(ErrorKind::lost, "cannot connect to Redis: " + std::string(connection_ ? connection_->errstr : "no memory"),
                    "Is it running? See --socket, --host and --port.");
    ::redisSetTimeout(connection_.get(), time);
    if (settings_.password.empty()) return {};
    std::vector<std::string> words{"AUTH"};
    if (!settings_.user.empty()) words.push_back(settings_.user);
    words.push_back(settings_.password);
    if (auto known = ask(words); !known) return pass(known);
    return {};
}

Result<void> RedisSession::wait_for_save(Monotonic::time_point deadline) {
    while (true) {
        auto info = ask({"INFO", "persistence"});
        if (!info) return pass(info);
        if (info_value(*info, "rdb_bgsave_in_progress") == "0" && info_value(*info, "aof_rewrite_in_progress") != "1") {
            if (info_value(*info, "rdb_last_bgsave_status") == "ok") return {};
            return fail(ErrorKind::writer_failed, "Redis could not save its data", "See its log; is its disk full?");
        }
        if (Monotonic::now() > deadline) return fail(ErrorKind::deadline, "Redis did not save its data in time");
        std::this_thread::sleep_for(std::chrono::milliseconds(10)); // there is no event for it
    }
}

Result<void> RedisSession::save(Monotonic::time_point deadline) {
    // One of somebody else's, or the rewrite of the log, would refuse ours. Its failure is not ours.
    if (auto idle = wait_for_save(deadline); !idle && idle.error().kind != ErrorKind::writer_failed) return idle;
    if (auto begun = ask({"BGSAVE"}); !begun) return pass(begun);
    return wait_for_save(deadline);
}

Result<SessionRecords> RedisSession::prepare(const SessionRequest& request) {
    const auto deadline = Monotonic::now() + request.limit * 9 / 10;
    if (auto connected = connect(request.limit); !connected) return pass(connected);
    auto info = ask({"INFO", "server"});
    if (!info) return pass(info);
    run_id_ = info_value(*info, "run_id");
    if (auto saved = save(deadline); !saved) return pass(saved);
    return SessionRecords{{"server_version", info_value(*info, "redis_version")}};
}

Result<SessionRecords> RedisSession::freeze(const SessionRequest& request) {
    if (!connection_) return fail(ErrorKind::wrong_state, "it was not prepared");
    const auto deadline = Monotonic::now() + request.limit * 9 / 10;
    paused_at_ = Monotonic::now();
    paused_ = true; // even when the answer is lost
    if (auto paused = ask({"CLIENT", "PAUSE", std::to_string(std::chrono::milliseconds(settings_.hold).count()), "WRITE"}); !paused) {
        paused.error().advice = "CLIENT PAUSE ... WRITE needs Redis 6.2 or later, or Valkey.";
        return pass(paused);
    }
    if (auto saved = save(deadline); !saved) return pass(saved);
    return SessionRecords{{"run_id", run_id_}};
}

Result<SessionRecords> RedisSession::thaw(const SessionRequest& /*request*/) {
    if (!std::exchange(paused_, false)) return SessionRecords{};
    const auto held = Monotonic::now() - paused_at_;
    if (auto gone_on = ask({"CLIENT", "UNPAUSE"}); !gone_on) return pass(gone_on);
    if (held >= settings_.hold)
        return fail(ErrorKind::deadline, "Redis had let its writers go after " + std::to_string(settings_.hold.count()) + " s, before the thaw",
                    "Give it longer: --hold.");
    connection_.reset();
    return SessionRecords{};
}

} // namespace quiesced
