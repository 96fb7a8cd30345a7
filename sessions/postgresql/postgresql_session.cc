// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sessions/postgresql/postgresql_session.h"

#include <algorithm>
#include <array>

namespace quiesced {
namespace {

constexpr int kNewNames = 150000; ///< PostgreSQL 15: pg_start_backup() became pg_backup_start()
constexpr int kIdleTimeout = 140000; ///< has that setting
constexpr int kNonExclusive = 90600;

/// libpq's messages are of several lines.
std::string one_line(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

} // namespace

Result<PostgresqlSession::Answer> PostgresqlSession::ask(const std::string& query, const std::vector<std::string>& parameters) {
    std::vector<const char*> values;
    for (const auto& parameter : parameters) values.push_back(parameter.c_str());
    Answer answer(::PQexecParams(connection_.get(), query.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0), &PQclear);
    const auto status = ::PQresultStatus(answer.get());
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return answer;
    const char* code = ::PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
    const bool denied = code != nullptr && std::string(code) == "42501";
    if (::PQstatus(connection_.get()) != CONNECTION_OK) return fail(ErrorKind::lost, "the connection to PostgreSQL was lost: " + one_line(::PQerrorMessage(connection_.get())));
    return fail(denied ? ErrorKind::access_denied : ErrorKind::writer_failed, "PostgreSQL: " + one_line(::PQerrorMessage(connection_.get())));
}

Result<void> PostgresqlSession::limit_statements(std::chrono::milliseconds limit) {
    // A little less than the agent's, so that the reason is PostgreSQL's.
    auto set = ask("SELECT set_config('statement_timeout', $1, false)", {std::to_string(std::max<std::int64_t>(limit.count() * 9 / 10, 1))});
    if (!set) return pass(set);
    return {};
}

Result<SessionRecords> PostgresqlSession::prepare(const SessionRequest& request) {
    const auto seconds = std::to_string(std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(request.limit).count(), 2));
    const std::array<const char*, 8> keys{"host", "port", "user", "dbname", "password", "connect_timeout", "application_name", nullptr};
    const std::array<const char*, 8> values{settings_.host.c_str(), settings_.port.c_str(), settings_.user.c_str(), settings_.database.c_str(),
                                            settings_.password.c_str(), seconds.c_str(), "quiesced", nullptr};
    connection_.reset(::PQconnectdbParams(keys.data(), values.data(), 0));
    if (!connection_ || ::PQstatus(connection_.get()) != CONNECTION_OK)
        return fail(ErrorKind::lost, "cannot connect to PostgreSQL: " + one_line(::PQerrorMessage(connection_.get())),
                    "Is it running, and may this user log in? See --run-as, --host and --port.");
    if (::PQserverVersion(connection_.get()) < kNonExclusive)
        return fail(ErrorKind::unsupported, "PostgreSQL is older than 9.6, and can be in backup mode only for one at a time");
    if (auto limited = limit_statements(request.limit); !limited) return pass(limited);
    // Minutes may lie between prepare and freeze, and a frozen disk holds up nobody who is idle.
    if (::PQserverVersion(connection_.get()) >= kIdleTimeout)
        if (auto set = ask("SELECT set_config('idle_session_timeout', '0', false)"); !set) return pass(set);
    // Not permitted to every role that may make a backup; then the one of the freeze takes longer.
    if (auto written = ask("CHECKPOINT"); !written && written.error().kind != ErrorKind::access_denied) return pass(written);
    return SessionRecords{{"server_version", std::to_string(::PQserverVersion(connection_.get()))}};
}

Result<SessionRecords> PostgresqlSession::freeze(const SessionRequest& request) {
    if (!connection_) return fail(ErrorKind::wrong_state, "it was not prepared");
    if (auto limited = limit_statements(request.limit); !limited) return pass(limited);
    const bool is_new = ::PQserverVersion(connection_.get()) >= kNewNames;
    auto started = ask(is_new ? "SELECT pg_backup_start($1, true)" : "SELECT pg_start_backup($1, true, false)", {"quiesced " + request.set});
    if (!started) return pass(started);
    in_backup_ = true;
    return SessionRecords{{"start_lsn", ::PQgetvalue(started->get(), 0, 0)}};
}

Result<SessionRecords> PostgresqlSession::thaw(const SessionRequest& request) {
    if (!std::exchange(in_backup_, false)) return SessionRecords{};
    if (auto limited = limit_statements(request.limit); !limited) return pass(limited);
    const bool is_new = ::PQserverVersion(connection_.get()) >= kNewNames;
    // Not waiting for the archive: its command may need what was frozen a moment ago, and the snapshots are taken.
    auto stopped = ask(is_new ? "SELECT lsn, labelfile, spcmapfile FROM pg_backup_stop(false)" : "SELECT lsn, labelfile, spcmapfile FROM pg_stop_backup(false, false)");
    if (!stopped) return pass(stopped);
    SessionRecords records{{"stop_lsn", ::PQgetvalue(stopped->get(), 0, 0)}, {"backup_label", ::PQgetvalue(stopped->get(), 0, 1)}};
    if (const std::string map = ::PQgetvalue(stopped->get(), 0, 2); !map.empty()) records["tablespace_map"] = map;
    connection_.reset();
    return records;
}

} // namespace quiesced
