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

/// Watches the kernel's mount table and swap areas (poll), and events of block devices twice: as the kernel sends them,
/// which is before the call that causes one returns, and as udev does when its database is up to date.
/// Mounts in other namespaces have no such events; see scan_mount_namespaces(). Errors: kernel, io (no netlink).
Result<std::unique_ptr<ChangeWatch>> make_change_watch(const std::string& mountinfo = "/proc/self/mountinfo",
                                                       const std::string& swaps = "/proc/swaps");

} // namespace quiesced
