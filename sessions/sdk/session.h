// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// What a session is told with each command.
struct SessionRequest {
    std::string set;                  ///< id of the snapshot set
    std::vector<std::string> volumes; ///< its members
    bool aborted = false;             ///< in a thaw: there is no snapshot
    std::chrono::milliseconds limit{60000}; ///< for the answer; then the program is killed
};

/// What is kept in the set's manifest: at most 32 texts of at most 64 KiB.
using SessionRecords = std::map<std::string, std::string>;

/// An application that is held quiet over an open connection. The agent's side is SessionWriter; quiesced-writers(7) describes the
/// protocol. What the destructor does is all that happens when the agent is lost: it must let the application go.
class Session {
public:
    Session() = default;
    virtual ~Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    virtual Result<SessionRecords> prepare(const SessionRequest& request) = 0;
    virtual Result<SessionRecords> freeze(const SessionRequest& request) = 0;
    /// An error also when the application had not been held all the time.
    virtual Result<SessionRecords> thaw(const SessionRequest& request) = 0;
};

/// Answers one message. "" for one that is none: the end. Otherwise a line with its newline.
std::string answer_session(Session& session, std::string_view line);

/// Answers the agent on standard input and output until its end, or the first error. The program's exit status.
int serve_session(Session& session);

/// The content of a credential that the service manager has put into $CREDENTIALS_DIRECTORY, without a newline at its end; "" for the
/// name "". Errors: io (it is not there).
Result<std::string> read_credential(const std::string& name);

/// Becomes that user, with his groups, for good; nothing for "" and when it is that user already. After read_credential().
/// Errors: invalid_argument (there is no such user), kernel.
Result<void> become_user(const std::string& name);

/// Prints an error as an answer to the agent: for what fails before serve_session(). The program's exit status.
int refuse_session(const Error& error);

} // namespace quiesced
