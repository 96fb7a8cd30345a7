// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-session-postgresql: holds a PostgreSQL server in backup mode for quiesced.
#include <CLI/CLI.hpp>

#include "config.h"
#include "sessions/postgresql/postgresql_session.h"

int main(int argc, char** argv) {
    quiesced::PostgresqlSettings settings;
    std::string credential;
    std::string run_as;
    CLI::App app("Holds a PostgreSQL server in backup mode for quiesced; see quiesced-writers(7).");
    app.set_version_flag("--version", "quiesced-session-postgresql " QUIESCED_VERSION);
    app.add_option("--run-as", run_as, "Become this user first, for peer authentication");
    app.add_option("--host", settings.host, "Folder of the server's socket, or a host")->capture_default_str();
    app.add_option("--port", settings.port, "Port, also a part of the socket's name")->capture_default_str();
    app.add_option("--user", settings.user, "Role")->capture_default_str();
    app.add_option("--dbname", settings.database, "Database to connect to")->capture_default_str();
    app.add_option("--credential", credential, "Name of the credential with the password; without: peer authentication");
    CLI11_PARSE(app, argc, argv);

    auto password = quiesced::read_credential(credential);
    if (!password) return quiesced::refuse_session(password.error());
    settings.password = std::move(*password);
    if (auto became = quiesced::become_user(run_as); !became) return quiesced::refuse_session(became.error());
    quiesced::PostgresqlSession session(std::move(settings));
    return quiesced::serve_session(session);
}
