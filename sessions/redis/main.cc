// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-session-redis: pauses the writers of a Redis or Valkey server for quiesced, with all data saved.
#include <CLI/CLI.hpp>

#include "config.h"
#include "sessions/redis/redis_session.h"

int main(int argc, char** argv) {
    quiesced::RedisSettings settings;
    std::string credential;
    std::string run_as;
    unsigned hold = 60;
    CLI::App app("Pauses the writers of a Redis or Valkey server for quiesced, with all data saved; see quiesced-writers(7).");
    app.set_version_flag("--version", "quiesced-session-redis " QUIESCED_VERSION);
    app.add_option("--run-as", run_as, "Become this user first");
    app.add_option("--socket", settings.socket, "The server's socket, instead of a host");
    app.add_option("--host", settings.host, "Host")->capture_default_str();
    app.add_option("--port", settings.port, "Port of the host")->check(CLI::Range(1, 65535))->capture_default_str();
    app.add_option("--user", settings.user, "User of an access control list");
    app.add_option("--credential", credential, "Name of the credential with the password");
    app.add_option("--hold", hold, "Seconds after which the server lets its writers go by itself")->check(CLI::Range(1U, 3600U))->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    settings.hold = std::chrono::seconds(hold);
    auto password = quiesced::read_credential(credential);
    if (!password) return quiesced::refuse_session(password.error());
    settings.password = std::move(*password);
    if (auto became = quiesced::become_user(run_as); !became) return quiesced::refuse_session(became.error());
    quiesced::RedisSession session(std::move(settings));
    return quiesced::serve_session(session);
}
