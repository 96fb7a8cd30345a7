// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace quiesced {

/// Tells whether mounts, swap areas or block devices have changed. Nothing is woken by a change: the kernel keeps it until
/// somebody asks, and a storm of changes is one. For one thread at a time.
class ChangeWatch {
public:
    virtual ~ChangeWatch() = default;
    /// True when something has changed since the last call (or since the watch was made), or when that is not sure.
    /// What had changed before the call is never missed. Does not block.
    virtual bool changed() = 0;
};

/// Watches the kernel's mount table and swap areas (poll), and block devices three times: by the kernel's events, which come
/// before the call that causes one returns; by udev's, which come when its database is up to date; and by the files of that
/// database, because in a network namespace of one's own (PrivateNetwork=) udev's events are not heard, and the kernel's are.
/// Mounts in other namespaces have no such events; see scan_mount_namespaces(). Errors: kernel, io (no netlink).
Result<std::unique_ptr<ChangeWatch>> make_change_watch(const std::string& mountinfo = "/proc/self/mountinfo",
                                                       const std::string& swaps = "/proc/swaps", const std::string& database = "/run/udev/data");

} // namespace quiesced
