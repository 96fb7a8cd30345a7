// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "sessions/sdk/session.h"

namespace quiesced {

struct RedisSettings {
    std::string socket; ///< empty: host and port
    std::string host = "127.0.0.1";
    int port = 6379;
    std::string user;     ///< of an ACL; empty: the default one
    std::string password; ///< empty: none
    std::chrono::seconds hold{60}; ///< the server lets writers go by itself after this
};

/// A Redis (6.2 and later) or Valkey server whose writes are paused from freeze to thaw, with all data saved in its dump file meanwhile.
/// The pause ends by itself after `hold`: a killed session cannot end it.
class RedisSession final : public Session {
public:
    explicit RedisSession(RedisSettings settings) : settings_(std::move(settings)) {}
    ~RedisSession() override;
    RedisSession(const RedisSession&) = delete;
    RedisSession& operator=(const RedisSession&) = delete;

    /// Saves while writers run, so that the disk's cache is warm and a server that cannot save is known early.
    Result<SessionRecords> prepare(const SessionRequest& request) override;
    Result<SessionRecords> freeze(const SessionRequest& request) override;
    Result<SessionRecords> thaw(const SessionRequest& request) override;

private:
    Result<std::string> ask(const std::vector<std::string>& words);
    Result<void> connect(std::chrono::milliseconds limit);
    Result<void> save(Monotonic::time_point deadline);
    Result<void> wait_for_save(Monotonic::time_point deadline);

    RedisSettings settings_;
    std::unique_ptr<redisContext, decltype(&redisFree)> connection_{nullptr, &redisFree};
    bool paused_ = false;
    Monotonic::time_point paused_at_{};
    std::string run_id_; ///< of the server that was paused
};

} // namespace quiesced
