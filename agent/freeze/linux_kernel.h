// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <linux/dm-ioctl.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "freeze/kernel.h"

namespace quiesced {

class LinuxFreezeKernel final : public FreezeKernel {
public:
    int sync(int fd) noexcept override;
    int freeze(int fd) noexcept override;
    int thaw(int fd) noexcept override;
    int identify(int fd, MountIdentity& identity) noexcept override;
    bool killed_thaw_breaks(int fd) noexcept override;
    bool read_only(int fd) noexcept override;
};

/// Speaks to /dev/mapper/control directly: the requests are built before the window and an ioctl is all that is left,
/// where libdevmapper would allocate, look up and wait for udev at every call.
class LinuxDmKernel final : public DmKernel {
public:
    explicit LinuxDmKernel(std::string control = "/dev/mapper/control") : control_path_(std::move(control)) {}
    Result<void> prepare(const Record& record) override;
    int run(std::size_t index) noexcept override;
    void release() noexcept override;

private:
    struct Request {
        DmStep::Op op = DmStep::Op::resume;
        dm_ioctl question{};           ///< as it was built; the kernel answers in the buffer
        std::vector<std::byte> buffer; ///< struct dm_ioctl and its payload
        UniqueFd device;               ///< zero only
    };
    std::string control_path_;
    UniqueFd control_;
    std::vector<Request> requests_;
};

/// Windows that overlap know of each other by locks on the switch's own file in sysfs: they are gone with a process that
/// dies, need no file of ours, and cost nothing inside the window (taken before the first FIFREEZE, let go after the last FITHAW).
class LinuxRcuSwitch final : public RcuSwitch {
public:
    explicit LinuxRcuSwitch(std::string directory = "/sys/kernel") : directory_(std::move(directory)) {}
    Result<void> prepare() override;
    std::int32_t expedite() noexcept override;
    int restore(std::int32_t value) noexcept override;
    int force(std::int32_t value) noexcept override;

private:
    std::string directory_;
    UniqueFd expedited_;
    UniqueFd normal_;
};

} // namespace quiesced
