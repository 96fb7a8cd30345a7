// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "volumes/inventory.h"

namespace quiesced {

/// What a requestor knows of one of the machine's disks. An empty text: it does not know.
struct DiskClaim {
    std::string id; ///< its own name for the disk: handed back, never compared
    std::string wwid;
    std::string serial;
    std::string virtio_serial; ///< QEMU's `serial=` of a virtio-blk or virtio-scsi disk, before QEMU cut it
    std::string pci;           ///< as the guest sees it
    std::string hctl;
    std::optional<Bytes> size;
    std::optional<Placement> type; ///< virtual_disk or lun
    std::string lun_wwid;          ///< of the array's LUN behind a disk that does not show it to the guest: never compared
};

/// Errors: invalid_argument for a pci or hctl address that is none.
Result<void> check_claim(const DiskClaim& claim);

/// What came of a claim.
struct DiskMatch {
    enum class Outcome { matched, none, ambiguous };
    std::string id;
    Outcome outcome = Outcome::none;
    std::string reason; ///< a sentence: why not, why several, or what is to be known of the match; may be empty
    bool weak = false;  ///< matched by size alone
    /// Matched: the disk, or all paths to it.
    std::vector<DeviceNumber> paths;
    DeviceNumber device;                     ///< matched: what to use: the disk, or the multipath device above its paths
    std::vector<std::string> matched_on;     ///< facts that agree: "wwid=naa.6001405..." as the guest says it
    std::vector<std::string> unknown;        ///< facts that were given and that this disk does not tell: "pci"
    std::vector<std::string> contradictions; ///< sentences: disks that agree in part; a type that is not our guess
    std::vector<std::string> candidates;     ///< ambiguous: device paths of all that fit
};

/// "matched", "none", "ambiguous".
std::string_view outcome_name(DiskMatch::Outcome outcome);

/// Finds the guest's disk for each claim, in their order. All facts that were given and that a disk tells must agree.
/// Disks that agree in a name (wwid, serial, virtio_serial) go before those that agree in an address only (pci, hctl).
/// Size alone counts when one disk alone has it and no other claim names that disk by more. Paths that share a WWID
/// below one multipath device, or behind a fabric, are one disk. Two claims that fit the same disk are ambiguous.
std::vector<DiskMatch> match_disks(const std::vector<DiskClaim>& claims, const Inventory& inventory);

/// Names of the volumes that lie on these disks, directly or in loop files.
std::vector<std::string> volumes_on(const std::vector<DeviceNumber>& disks, const Inventory& inventory);

} // namespace quiesced
