// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// Keeps two instances of the plugin from working on one set: each connection has an instance of its own, and an abort
/// may come over a new one while the old one still runs a command. The kernel gives the lock up with the process.
class SetLock {
public:
    /// Waits until the lock is free. Errors: busy at the deadline; kernel.
    static Result<SetLock> take(const std::string& directory, const std::string& set, Monotonic::time_point deadline);

    SetLock(SetLock&&) = default;
    SetLock& operator=(SetLock&&) = default;
    ~SetLock(); ///< removes the file, too

private:
    SetLock(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
    std::string path_;
    UniqueFd fd_;
};

} // namespace quiesced
