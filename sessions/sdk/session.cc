// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sessions/sdk/session.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/file.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLineLimit = 1U << 20U;

std::string answer_text(const Result<SessionRecords>& result) {
    Json answer{{"ok", result.has_value()}};
    if (!result) answer["error"] = result.error().message();
    else if (!result->empty()) answer["records"] = *result;
    return answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// The whole line or nothing; false when the agent is gone.
bool say(std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

} // namespace

std::string answer_session(Session& session, std::string_view line) {
    const auto json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return {};
    SessionRequest request;
    const auto text = [&](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    request.set = text("set");
    if (const auto volumes = json.find("volumes"); volumes != json.end() && volumes->is_array())
        for (const auto& volume : *volumes)
            if (volume.is_string()) request.volumes.push_back(volume.get<std::string>());
    if (const auto aborted = json.find("aborted"); aborted != json.end() && aborted->is_boolean()) request.aborted = aborted->get<bool>();
    if (const auto limit = json.find("limit_ms"); limit != json.end() && limit->is_number_unsigned() && *limit <= 3'600'000U)
        request.limit = std::chrono::milliseconds(limit->get<std::int64_t>());
    const auto command = text("command");
    if (command == "prepare") return answer_text(session.prepare(request));
    if (command == "freeze") return answer_text(session.freeze(request));
    if (command == "thaw") return answer_text(session.thaw(request));
    return answer_text(fail(ErrorKind::invalid_argument, "there is no command '" + command + "'"));
}

int serve_session(Session& session) {
    ::signal(SIGPIPE, SIG_IGN); // a write that fails ends the session with its destructor
    std::string buffer;
    std::array<char, 4096> block{};
    while (buffer.size() < kLineLimit) {
        if (const auto end = buffer.find('\n'); end != std::string::npos) {
            const auto answer = answer_session(session, std::string_view(buffer).substr(0, end));
            buffer.erase(0, end + 1);
            if (answer.empty() || !say(answer)) return EXIT_FAILURE;
            continue;
        }
        const auto got = ::read(STDIN_FILENO, block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        buffer.append(block.data(), static_cast<std::size_t>(got));
    }
    return EXIT_FAILURE;
}

Result<std::string> read_credential(const std::string& name) {
    if (name.empty()) return std::string();
    const char* directory = ::secure_getenv("CREDENTIALS_DIRECTORY");
    auto text = directory == nullptr || name.find('/') != std::string::npos
                    ? fail(ErrorKind::io, "there is no such credential")
                    : read_file(std::string(directory) + "/" + name, 64U * 1024U);
    if (!text)
        return fail(ErrorKind::io, "cannot read the credential " + name,
                    "Run: systemctl edit quiesced, and add: LoadCredential=" + name + ":/path/of/a/file");
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    return text;
}

Result<void> become_user(const std::string& name) {
    if (name.empty()) return {};
    std::array<char, 16384> text{};
    passwd entry{};
    passwd* found = nullptr;
    if (const int error = ::getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found); error != 0 || found == nullptr)
        return fail(ErrorKind::invalid_argument, "there is no user " + name);
    if (::geteuid() == entry.pw_uid) return {};
    if (::initgroups(name.c_str(), entry.pw_gid) != 0 || ::setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid) != 0 ||
        ::setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid) != 0)
        return fail_errno("cannot become the user " + name);
    return {};
}

int refuse_session(const Error& error) {
    // In answer to prepare, which the agent has sent or is about to send.
    say(answer_text(tl::unexpected<Error>(error)));
    return EXIT_FAILURE;
}

} // namespace quiesced
