// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "freeze/kernel.h"
#include "freeze/rescue.h"

namespace quiesced {

/// Where records of windows are: <directory>/<set>.window, removed when their window left nothing behind.
inline constexpr const char* kRecordDirectory = "/run/quiesced";
inline constexpr const char* kRecordSuffix = ".window";

/// How long a btrfs may take to read its superblock in a thaw. What cannot be killed holds up the end of its process anyway.
inline constexpr std::chrono::seconds kThawPatience{30};

/// A record that was found and what was done about it.
struct Recovered {
    std::string set;
    RescueReport report;
    bool journal = false; ///< journald was told to leave /var for that window: it has to be told to return
};

/// For the start of the daemon and for `quiesced --recover`: rescues by every record in `directory` whose daemon and freezer
/// are gone, finding the file systems by device number in `mountinfo`, and removes those that are clean. A record of which
/// one is alive is left alone; so is one whose rescue by another process is under way. Unreadable records are reported as
/// failed and kept. To be repeated while window_left() says so. Errors: io when the directory cannot be read; one that is
/// missing means that there is nothing to recover.
Result<std::vector<Recovered>> recover(WindowKernel& kernel, const std::string& directory = kRecordDirectory,
                                       const std::string& mountinfo = "/proc/self/mountinfo");

/// For an emergency: the same for every record, whoever lives. A freezer is killed first (a stopped one, too), and its daemon gets
/// a second to rescue what it held.
Result<std::vector<Recovered>> recover_by_force(WindowKernel& kernel, const std::string& directory = kRecordDirectory,
                                                const std::string& mountinfo = "/proc/self/mountinfo");

/// For a process that ends after its recovery: its end would kill a thaw that goes on, and a btrfs turns read-only by that (docs/kernel.md).
/// Returns when none is left, or after `limit`.
void await_thaws(const std::vector<Recovered>& recovered, std::chrono::milliseconds limit = kThawPatience);

/// Whether there is a record of which the daemon is not the calling process: something of another life is not mended yet.
bool window_left(const std::string& directory = kRecordDirectory);

/// Whether a record in `directory` belongs to a daemon or freezer that is alive. At the start of a daemon that is the freezer of
/// the one before, which thaws and unprimes by itself in milliseconds: LVM must not run until it is done.
bool window_under_way(const std::string& directory = kRecordDirectory);

} // namespace quiesced
