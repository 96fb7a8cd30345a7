// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// One running instance of the plugin, at the other end of a socket as systemd starts it. Killed with its whole process
/// group at the end. One thread.
class Instance {
public:
    /// argv[0] is a path, or is looked up in PATH. Standard error goes to `errors`. Errors: io (it cannot be run), kernel.
    static Result<Instance> start(const std::vector<std::string>& argv, int errors);

    Instance(Instance&& other) noexcept;
    Instance& operator=(Instance&&) = delete;
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;
    ~Instance();

    /// Sends the bytes as they are. Errors: lost (it has closed), deadline (it does not read).
    Result<void> send(std::string_view bytes, std::chrono::milliseconds limit);
    /// The next line without its newline. Errors: lost (closed), deadline, limit (longer than the protocol permits).
    Result<std::string> read_line(std::chrono::milliseconds limit);
    /// Whether something comes within that time: also half a line; an end of file is nothing.
    bool says_something(std::chrono::milliseconds limit);

    void close(); ///< our end of the socket
    void kill();  ///< SIGKILL to the group, and waits
    /// The status as waitpid() gives it, when it has ended by itself within that time.
    std::optional<int> ended(std::chrono::milliseconds limit);
    /// Largest resident memory so far, bytes; 0 when it is gone.
    [[nodiscard]] std::size_t peak_memory() const;

private:
    Instance(pid_t pid, UniqueFd pidfd, UniqueFd socket);
    Result<bool> fill(Monotonic::time_point deadline);

    pid_t pid_;
    UniqueFd pidfd_;
    UniqueFd socket_;
    std::optional<int> status_; ///< after it was reaped
    std::string buffer_;
};

} // namespace quiesced
