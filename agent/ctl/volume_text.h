// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quiesced {

/// A volume as ListVolumes describes it.
struct VolumeView {
    std::string name, device, file_system, uuid, label, placement;
    std::vector<std::string> mount_points, evidence, disks;
    std::uint64_t size = 0; ///< bytes
};

/// Whether anybody would look for it in a list of what can be snapshotted: it has a disk or a server, so that proc,
/// tmpfs and their like are left out.
bool is_of_interest(const VolumeView& volume);

/// NAME PLACEMENT FSTYPE SIZE DISKS MOUNTPOINTS
std::string render_volumes(const std::vector<VolumeView>& volumes);

/// All of it, as a JSON list with the keys of ListVolumes.
std::string volumes_to_json(const std::vector<VolumeView>& volumes);

} // namespace quiesced
