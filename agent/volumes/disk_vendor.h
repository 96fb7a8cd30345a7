// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace quiesced {

/// Who made a disk, by what it calls itself. docs/placement.md has the rules and where they come from.
enum class DiskMaker {
    unknown,
    hypervisor, ///< an emulated or paravirtual disk
    array,      ///< a storage array or software target: a hypervisor that passes its LUN through leaves the name alone
    local,      ///< a RAID controller's or physical disk, given to the guest with its controller or passed through
};

/// By SCSI vendor and model, or by the model alone of ATA (vendor "ATA") and NVMe (vendor empty). Whatever the case.
DiskMaker maker_by_name(std::string_view vendor, std::string_view model);

/// By the IEEE company id in a "naa." WWID. `wwid` may be any text.
DiskMaker maker_by_wwid(std::string_view wwid);

} // namespace quiesced
