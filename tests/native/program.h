// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace quiesced {

/// A child process of a test that runs along with it: started here, ended here.
class Program {
public:
    /// Standard output and error go to the file `log`. `environment` is added to the test's own. It dies with the test.
    Program(std::vector<std::string> argv, std::string log, const std::vector<std::string>& environment = {});
    ~Program(); ///< SIGTERM, and SIGKILL when that does not help
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    void signal(int number) const;
    /// Exit status, or 128 and the signal's number; nullopt when it still runs after `limit`.
    std::optional<int> wait(std::chrono::milliseconds limit);
    /// What it has written so far.
    [[nodiscard]] std::string output() const;

private:
    std::string log_;
    pid_t pid_ = -1;
    std::optional<int> status_;
};

/// A message bus of the test's own. Its folder may be entered by everyone, and so may the bus.
class PrivateBus {
public:
    /// `rules`: policies of its configuration; none: everybody may everything. Throws std::runtime_error.
    explicit PrivateBus(const std::string& folder, const std::string& rules = {});
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] Program& program() { return *program_; }

private:
    std::string address_;
    std::optional<Program> program_;
};

} // namespace quiesced
