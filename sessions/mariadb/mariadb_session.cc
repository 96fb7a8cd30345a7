// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sessions/mariadb/mariadb_session.h"

#include <algorithm>
#include <array>

namespace quiesced {
namespace {

constexpr unsigned kLostConnection = 2013; ///< CR_SERVER_LOST
constexpr unsigned kGone = 2006;           ///< CR_SERVER_GONE_ERROR
constexpr unsigned long kStages = 100400;  ///< MariaDB 10.4
constexpr unsigned long kBinaryLogStatus = 80200; ///< MySQL 8.2: SHOW MASTER STATUS got another name

std::int64_t seconds_of(std::chrono::milliseconds limit) { return std::max<std::int64_t>(std::chrono::floor<std::chrono::seconds>(limit * 9 / 10).count(), 1); }

} // namespace

Result<MariadbSession::Rows> MariadbSession::ask(const std::string& query) {
    auto* const connection = connection_.get();
    if (::mysql_real_query(connection, query.data(), query.size()) == 0) {
        Rows rows(::mysql_store_result(connection), &mysql_free_result);
        if (rows || ::mysql_field_count(connection) == 0) return rows;
    }
    const auto number = ::mysql_errno(connection);
    const auto kind = number == kGone || number == kLostConnection ? ErrorKind::lost : ErrorKind::writer_failed;
    return fail(kind, "the database server: " + std::string(::mysql_error(connection)) + " (" + std::to_string(number) + ", at " + query + ")");
}

Result<std::string> MariadbSession::value(const std::string& query) {
    auto rows = ask(query);
    if (!rows) return pass(rows);
    const auto row = *rows ? ::mysql_fetch_row(rows->get()) : nullptr;
    return row == nullptr || row[0] == nullptr ? std::string() : std::string(row[0]);
}

Result<void> MariadbSession::limit_waits(std::chrono::milliseconds limit) {
    // A long query of somebody else holds up our lock, and we everybody behind us: rather fail.
    auto set = ask("SET SESSION lock_wait_timeout = " + std::to_string(seconds_of(limit)));
    if (!set) return pass(set);
    return {};
}

Result<SessionRecords> MariadbSession::prepare(const SessionRequest& request) {
    connection_.reset(::mysql_init(nullptr));
    if (!connection_) return fail(ErrorKind::kernel, "there is no memory for a connection");
    const auto seconds = static_cast<unsigned>(seconds_of(request.limit));
    ::mysql_options(connection_.get(), MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    const bool by_socket = settings_.host.empty();
    if (::mysql_real_connect(connection_.get(), by_socket ? nullptr : settings_.host.c_str(), settings_.user.c_str(),
                             settings_.password.empty() ? nullptr : settings_.password.c_str(), nullptr, by_socket ? 0 : settings_.port,
                             by_socket ? settings_.socket.c_str() : nullptr, 0) == nullptr)
        return fail(ErrorKind::lost, "cannot connect to the database server: " + std::string(::mysql_error(connection_.get())),
                    "Is it running, and may this user log in? See --run-as, --user and --socket.");
    // Minutes may lie between prepare and freeze.
    if (auto set = ask("SET SESSION wait_timeout = 28800"); !set) return pass(set);
    if (auto limited = limit_waits(request.limit); !limited) return pass(limited);
    auto version = value("SELECT VERSION()");
    if (!version) return pass(version);
    const bool is_mariadb = version->find("MariaDB") != std::string::npos;
    by_stages_ = is_mariadb && !settings_.read_lock && ::mysql_get_server_version(connection_.get()) >= kStages;
    return SessionRecords{{"server_version", *version}};
}

/// Without the right to see it, or without a log, there is none: no reason to fail.
SessionRecords MariadbSession::log_position() {
    SessionRecords records;
    const bool is_new_mysql = records.empty() && !by_stages_ && ::mysql_get_server_version(connection_.get()) >= kBinaryLogStatus &&
                              ::mysql_get_server_version(connection_.get()) < 100000;
    auto rows = ask(is_new_mysql ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
    if (const auto row = rows && *rows ? ::mysql_fetch_row(rows->get()) : nullptr; row != nullptr && row[0] != nullptr && row[1] != nullptr)
        records = {{"binlog_file", row[0]}, {"binlog_position", row[1]}};
    auto gtid = value(::mysql_get_server_version(connection_.get()) >= 100000 ? "SELECT @@GLOBAL.gtid_binlog_pos" : "SELECT @@GLOBAL.gtid_executed");
    if (gtid && !gtid->empty()) records["gtid"] = std::move(*gtid);
    return records;
}

Result<SessionRecords> MariadbSession::freeze(const SessionRequest& request) {
    if (!connection_) return fail(ErrorKind::wrong_state, "it was not prepared");
    if (auto limited = limit_waits(request.limit); !limited) return pass(limited);
    constexpr auto kSteps = std::to_array<const char*>({"BACKUP STAGE START", "BACKUP STAGE FLUSH", "BACKUP STAGE BLOCK_DDL", "BACKUP STAGE BLOCK_COMMIT"});
    if (by_stages_) {
        for (const char* statement : kSteps)
            if (auto done = ask(statement); !done) return pass(done);
    } else if (auto done = ask("FLUSH TABLES WITH READ LOCK"); !done) {
        return pass(done);
    }
    locked_ = true;
    return log_position();
}

Result<SessionRecords> MariadbSession::thaw(const SessionRequest& /*request*/) {
    if (!std::exchange(locked_, false)) return SessionRecords{};
    // On a connection that was lost, or a server that was started anew, this fails: the lock had not been held to here.
    auto unlocked = ask(by_stages_ ? "BACKUP STAGE END" : "UNLOCK TABLES");
    if (!unlocked) return pass(unlocked);
    connection_.reset();
    return SessionRecords{};
}

} // namespace quiesced
