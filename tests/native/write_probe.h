// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

namespace quiesced {

/// A write to the file system at a folder, tried by a process of its own: the one way to learn that it is frozen that cannot
/// hang the asker. The file that it writes has no name where the file system can do that, and is removed where it cannot.
class WriteProbe {
public:
    explicit WriteProbe(const std::string& folder);
    ~WriteProbe(); ///< one that waits in the kernel is left there; it ends with the thaw
    WriteProbe(const WriteProbe&) = delete;
    WriteProbe& operator=(const WriteProbe&) = delete;

    /// Whether the write has ended, well or badly; waits at most `limit` for it.
    bool ended(std::chrono::milliseconds limit = std::chrono::milliseconds(0));

private:
    pid_t pid_ = -1;
    bool ended_ = false;
};

} // namespace quiesced
