// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "base/result.h"
#include "freeze/record.h"

namespace quiesced {

/// What statx says of a descriptor.
struct MountIdentity {
    DeviceNumber superblock;
    std::uint64_t mount_id = 0;
};

/// The file system calls of the window. Thread-safe. No implementation may allocate, open or log in these calls.
/// All return 0 or an errno.
class FreezeKernel {
public:
    virtual ~FreezeKernel() = default;
    virtual int sync(int fd) noexcept = 0;   ///< syncfs
    virtual int freeze(int fd) noexcept = 0; ///< FIFREEZE; waits without limit and cannot be interrupted
    virtual int thaw(int fd) noexcept = 0;   ///< FITHAW
    virtual int identify(int fd, MountIdentity& identity) noexcept = 0;
    /// Whether a SIGKILL that hits the FITHAW of this file system turns it read-only (linux_kernel.cc). Not for the window.
    virtual bool killed_thaw_breaks(int fd) noexcept = 0;
    virtual bool read_only(int fd) noexcept = 0; ///< by statfs; false when it cannot tell. Not for the window
};

/// The device-mapper calls of the window, one for each step of a record.
class DmKernel {
public:
    virtual ~DmKernel() = default;
    /// Before the window: builds what each step needs, opens what is to be zeroed. Errors: kernel, io; steps that are not
    /// to blame can be run all the same, the others answer ENODEV.
    virtual Result<void> prepare(const Record& record) = 0;
    /// Carries out step `index` of the record; thread-safe for different steps; 0 or an errno; does not allocate.
    virtual int run(std::size_t index) noexcept = 0;
    /// Closes what it holds open: a device that is open cannot be removed. For when no step is to be run any more.
    virtual void release() noexcept {}
};

/// The machine-wide switch that makes RCU grace periods short (facts: nearly all of freeze_super's time is three
/// percpu_down_write). All return 0 or an errno.
class RcuSwitch {
public:
    virtual ~RcuSwitch() = default;
    virtual Result<void> prepare() = 0;
    /// Returns the value to put back, or -1 where it is not ours to change: rcu_normal is set, or somebody who is no window
    /// expedites already. Windows that overlap share the switch.
    virtual std::int32_t expedite() noexcept = 0;
    /// Ends what expedite() began: the last of the windows that overlap puts the value back.
    virtual int restore(std::int32_t value) noexcept = 0;
    /// Puts the value back whatever other windows want: in place of a freezer that is gone.
    virtual int force(std::int32_t value) noexcept { return restore(value); }
};

} // namespace quiesced
