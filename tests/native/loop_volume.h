// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/record.h"

namespace quiesced {

/// A file system on a loop device on a sparse file, made for one test and gone with it. Tests freeze nothing else: every
/// descriptor that they hand to a freezer comes from here, and was checked to be on this loop device.
class LoopVolume {
public:
    /// `type`: ext4, xfs or btrfs; files and mount point lie in `folder`; `mebibytes`: at least that large. Errors: kernel, io,
    /// unsupported (mkfs failed).
    static Result<std::unique_ptr<LoopVolume>> create(const std::string& folder, const std::string& name, const std::string& type,
                                                      unsigned mebibytes = 0);
    ~LoopVolume(); ///< thaws if need be, unmounts
    LoopVolume(const LoopVolume&) = delete;
    LoopVolume& operator=(const LoopVolume&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& mount_point() const { return mount_point_; }
    [[nodiscard]] const std::string& device() const { return device_; }
    /// Mounts it a further time, by bind or once more by device. Errors: kernel.
    Result<std::string> mount_again(bool bind);
    /// Unmounts where it was mounted first; it has to be mounted elsewhere, too. Errors: kernel.
    Result<void> let_go_of_first_mount();
    /// A plan's entry, with a descriptor that was checked. Errors: internal when it is not on this loop device.
    [[nodiscard]] Result<PlannedMember> member(int level = 0) const;
    /// That a descriptor is on this volume and nowhere else.
    [[nodiscard]] Result<void> check_own(int fd) const;
    /// Dirties some pages.
    void write_some() const;

    Result<void> freeze() const; ///< as somebody else, not by a freezer
    Result<void> thaw() const;   ///< likewise

private:
    LoopVolume() = default;
    std::string name_, type_, image_, device_, mount_point_;
    std::vector<std::string> mounts_;
};

/// A mount namespace of the test's own: what it mounts is gone with it, even when it crashes, and the loop devices with the
/// mounts. Other loop mounts are let go of, so that they can be unmounted meanwhile. Call before the first thread.
Result<void> enter_own_mount_namespace();

} // namespace quiesced
