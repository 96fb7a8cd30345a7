// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "plugins/sdk/plugin.h"

namespace quiesced {

/// A command that was started ahead and waits on its standard input: what it costs to start it is paid before the
/// freeze. It gets one line and answers with one line, or by its exit. One thread at a time.
class ArmedCommand {
public:
    /// Starts it in its own process group. The program must be a full path. Errors: kernel, io.
    static Result<ArmedCommand> start(const std::vector<std::string>& argv, const std::vector<std::string>& environment);

    ArmedCommand(ArmedCommand&&) = default;
    ArmedCommand& operator=(ArmedCommand&&) = delete;
    ~ArmedCommand(); ///< kills its process group

    /// Waits for the line by which it says that it is ready; what the line says does not matter.
    tl::expected<void, Failure> wait_ready(Monotonic::time_point deadline);

    /// Sends the request, with its newline, and returns the answer's text: its first line, or all it wrote when it
    /// ended with status 0 without one. Fails, and kills it, when it ends otherwise, answers without having read the
    /// request (then nobody knows when it did its work), takes too long, or when `caller`, a socket, is hung up.
    tl::expected<std::string, Failure> exchange(std::string_view request, Monotonic::time_point deadline, int caller);

    /// Waits for its end, after exchange(). A failure is an exit status other than 0, or that it had to be killed.
    tl::expected<void, Failure> wait_end(Monotonic::time_point deadline);

    /// What it wrote to standard error and nobody has taken yet.
    std::string take_errors();

private:
    struct Handles {
        UniqueFd pidfd;
        UniqueFd requests;    ///< write end of its standard input
        UniqueFd unread;      ///< read end of the same: says what it left unread
        UniqueFd answers;
        UniqueFd errors;
    };
    ArmedCommand(std::string program, pid_t child, Handles handles)
        : program_(std::move(program)), child_(child), handles_(std::move(handles)) {}

    enum class Event { line, end, late, hung_up };
    Event wait_event(Monotonic::time_point deadline, int caller, std::string_view& rest);
    void read_outputs();
    void kill_group();
    void try_reap();
    [[nodiscard]] bool has_unread() const;
    tl::unexpected<Failure> ended(const char* when);
    tl::unexpected<Failure> gave_up(FailureKind kind, const std::string& why);

    std::string program_;
    pid_t child_;
    Handles handles_;
    std::string output_;
    std::string errors_;
    int exit_status_ = -1; ///< once it is reaped
    bool reaped_ = false;
};

/// "lvcreate: no space" of what a command wrote to standard error: its last line that is not blank; `otherwise` where
/// there is none.
std::string last_line(std::string_view errors, const std::string& otherwise);

/// "ended with status 3", "was killed by signal 9", for a shell's status.
std::string describe_end(int exit_status);

} // namespace quiesced
