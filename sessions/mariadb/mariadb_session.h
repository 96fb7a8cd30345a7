// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <mysql.h>

#include <memory>
#include <string>
#include <utility>

#include "sessions/sdk/session.h"

namespace quiesced {

struct MariadbSettings {
    std::string socket = "/run/mysqld/mysqld.sock"; ///< used where `host` is empty
    std::string host;
    unsigned port = 3306;
    std::string user = "root";
    std::string password; ///< empty: the server takes the socket's user for it (unix_socket, auth_socket)
    bool read_lock = false; ///< FLUSH TABLES WITH READ LOCK also where BACKUP STAGE is possible
};

/// A MariaDB or MySQL server whose commits are held from freeze to thaw: by BACKUP STAGE BLOCK_COMMIT (MariaDB 10.4 and later),
/// else by FLUSH TABLES WITH READ LOCK. The server lets go by itself when the connection ends.
class MariadbSession final : public Session {
public:
    explicit MariadbSession(MariadbSettings settings) : settings_(std::move(settings)) {}

    Result<SessionRecords> prepare(const SessionRequest& request) override;
    /// Records where the binary log stood: `binlog_file`, `binlog_position`, `gtid`, if there is one.
    Result<SessionRecords> freeze(const SessionRequest& request) override;
    Result<SessionRecords> thaw(const SessionRequest& request) override;

private:
    using Rows = std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)>;
    Result<Rows> ask(const std::string& query); ///< null for a statement without rows
    Result<std::string> value(const std::string& query); ///< of the first column; "" for no row
    Result<void> limit_waits(std::chrono::milliseconds limit);
    SessionRecords log_position();

    MariadbSettings settings_;
    std::unique_ptr<MYSQL, decltype(&mysql_close)> connection_{nullptr, &mysql_close};
    bool by_stages_ = false;
    bool locked_ = false;
};

} // namespace quiesced
