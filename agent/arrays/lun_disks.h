// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arrays/json_rpc.h"
#include "base/result.h"
#include "volumes/inventory.h"

namespace quiesced {

/// The disks below a volume as plugins know them: each WWID once, however many paths (sda, sdb of one multipath device)
/// lead to it. Nothing when a leaf is no LUN, has no WWID, or is unknown: a plugin can then not take the volume.
std::optional<std::vector<Disk>> lun_disks(const Volume& volume, const Inventory& inventory);

/// A disk as an object of the protocol. Texts that are not known are left out.
Json disk_to_json(const Disk& disk);

/// A snapshot of one disk, as `finish` reports it.
struct LunSnapshot {
    std::string origin;    ///< the WWID of the disk that it was taken of
    std::string snapshot;  ///< the array's name for it
    std::string wwid;      ///< under which this guest sees it; empty while not mapped
    std::string device;    ///< where the plugin knows it: "/dev/..."
    std::string taken_at;  ///< the array's own time, as it says it
    Json reference;        ///< the plugin's note, which it gets back on `delete`
};

/// Reads the result of `finish`: exactly one snapshot for each of `origins`, in their order. Others are ignored.
/// Errors: plugin_failed.
Result<std::vector<LunSnapshot>> parse_snapshots(const Json& result, const std::vector<std::string>& origins);
Json snapshot_to_json(const LunSnapshot& snapshot);

/// Which part of a LUN a volume lies on, when a copy of the LUN can be mounted as it is.
struct LunPart {
    int partition = 0; ///< 0: the whole LUN
};

/// Nothing where something lies between that must be assembled first (LVM, LUKS, RAID), or where there are several LUNs.
std::optional<LunPart> mountable_part(const Volume& volume, const Inventory& inventory);

/// The path of that part of a snapshot's device: "/dev/disk/by-id/wwn-0x6001405...-part1". Empty where there is
/// nothing to make it of.
std::string snapshot_device(const LunSnapshot& snapshot, LunPart part, const std::string& by_id);

} // namespace quiesced
