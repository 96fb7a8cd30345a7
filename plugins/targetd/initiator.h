// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
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

    /// Lets every session with the target look for one LUN; all sessions where the target is empty. Errors: kernel,
    /// lost (no session with that target).
    Result<void> scan(const std::string& target, int lun) const;
    /// Whether a disk with that WWID is there (any path of it), at most after `limit`.
    [[nodiscard]] bool appears(const std::string& wwid, std::chrono::milliseconds limit) const;
    /// Removes all SCSI disks with that WWID from this guest. Errors: kernel; busy when one is in use.
    Result<void> remove(const std::string& wwid) const;

private:
    [[nodiscard]] std::vector<std::string> paths_of(const std::string& wwid) const;
    std::string sysfs_;
};

} // namespace quiesced
