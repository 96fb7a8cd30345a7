// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sessions/sdk/session.h"

namespace quiesced {

struct PostgresqlSettings {
    std::string host = "/run/postgresql"; ///< a folder: that of the socket
    std::string port = "5432";
    std::string user = "postgres";
    std::string database = "postgres";
    std::string password; ///< empty: peer authentication
};

/// A PostgreSQL server (9.6 and later) in backup mode from freeze to thaw, by pg_backup_start() and pg_backup_stop() on one
/// connection. The server ends the backup by itself when that connection ends.
class PostgresqlSession final : public Session {
public:
    explicit PostgresqlSession(PostgresqlSettings settings) : settings_(std::move(settings)) {}

    /// Connects, and has a checkpoint written, so that the one of the freeze is short.
    Result<SessionRecords> prepare(const SessionRequest& request) override;
    Result<SessionRecords> freeze(const SessionRequest& request) override;
    /// Records `backup_label`, and `tablespace_map` if there are tablespaces: files that a restore with log replay needs.
    Result<SessionRecords> thaw(const SessionRequest& request) override;

private:
    using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;
    Result<Answer> ask(const std::string& query, const std::vector<std::string>& parameters = {});
    Result<void> limit_statements(std::chrono::milliseconds limit);

    PostgresqlSettings settings_;
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
    bool in_backup_ = false;
};

} // namespace quiesced
