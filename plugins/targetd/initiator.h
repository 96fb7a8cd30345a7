// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// The NAA that LIO gives a LUN, of its unit serial number: 6001405 and the serial's first 25 hexadecimal digits, other
/// characters left out (spc_gen_naa_6h_vendor_specific() in drivers/target/target_core_spc.c, Linux 6.1), as sysfs shows it:
/// "naa.6001405...".
std::string lio_wwid(const std::string& serial);

/// This guest's side of the iSCSI sessions, by sysfs.
class Initiator {
public:
    explicit Initiator(std::string sysfs = "/sys") : sysfs_(std::move(sysfs)) {}

    /// Lets every session with the target look for one LUN; all sessions where the target is empty. Returns over how many that
    /// work now it should appear. Errors: kernel, lost (no session with that target).
    Result<std::size_t> scan(const std::string& target, int lun) const;
    /// Whether a disk with that WWID is there, at most after `limit`; waits a little longer for the other of its `paths`, for
    /// who opens the first alone takes it away from multipath.
    [[nodiscard]] bool appears(const std::string& wwid, std::size_t paths, std::chrono::milliseconds limit) const;
    /// Errors: busy, when something is built on it (LVM, LUKS, RAID; a mount is not seen here).
    Result<void> check_unused(const std::string& wwid) const;
    /// Removes all SCSI disks with that WWID from this guest; a multipath device above them goes with them, for multipathd sees
    /// to that. Errors: kernel; as check_unused(), then all of them stay.
    Result<void> remove(const std::string& wwid) const;

private:
    [[nodiscard]] std::vector<std::string> paths_of(const std::string& wwid) const;
    [[nodiscard]] std::string user_of(const std::string& device) const;
    std::string sysfs_;
};

} // namespace quiesced
