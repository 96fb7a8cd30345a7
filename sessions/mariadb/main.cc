// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-session-mariadb: holds the commits of a MariaDB or MySQL server for quiesced.
#include <CLI/CLI.hpp>

#include "config.h"
#include "sessions/mariadb/mariadb_session.h"

int main(int argc, char** argv) {
    quiesced::MariadbSettings settings;
    std::string credential;
    std::string run_as;
    CLI::App app("Holds the commits of a MariaDB or MySQL server for quiesced; see quiesced-writers(7).");
    app.set_version_flag("--version", "quiesced-session-mariadb " QUIESCED_VERSION);
    app.add_option("--run-as", run_as, "Become this user first, for authentication by the socket");
    app.add_option("--socket", settings.socket, "The server's socket")->capture_default_str();
    app.add_option("--host", settings.host, "A host instead of the socket");
    app.add_option("--port", settings.port, "Port of the host")->check(CLI::Range(1U, 65535U))->capture_default_str();
    app.add_option("--user", settings.user, "Database user")->capture_default_str();
    app.add_option("--credential", credential, "Name of the credential with the password; without: the socket's user is enough");
    app.add_flag("--read-lock", settings.read_lock, "FLUSH TABLES WITH READ LOCK, also where BACKUP STAGE is possible");
    CLI11_PARSE(app, argc, argv);

    auto password = quiesced::read_credential(credential);
    if (!password) return quiesced::refuse_session(password.error());
    settings.password = std::move(*password);
    if (auto became = quiesced::become_user(run_as); !became) return quiesced::refuse_session(became.error());
    quiesced::MariadbSession session(std::move(settings));
    return quiesced::serve_session(session);
}
