// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/volume_dict.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quiesced {

Dict volume_to_dict(const Volume& volume, const Inventory& inventory) {
    std::vector<std::string> mount_points;
    for (const auto& mount : volume.mounts) mount_points.push_back(utf8(mount.path));
    std::vector<std::string> overlays;
    for (const auto& mount : volume.overlays) overlays.push_back(utf8(mount.path));
    std::vector<std::string> swap_files;
    for (const auto& path : volume.swap_files) swap_files.push_back(utf8(path));
    std::string process;
    if (!volume.mounts.empty() && volume.mounts.front().process)
        process = utf8(volume.mounts.front().process->command) + " (" + std::to_string(volume.mounts.front().process->pid) + ")";
    std::vector<std::string> disks;
    for (const auto number : volume.leaves) {
        const auto disk = inventory.disks().find(number);
        disks.push_back(disk == inventory.disks().end() ? number.text() : utf8(disk->second.name));
    }
    std::vector<std::string> evidence;
    for (const auto& fact : volume.evidence) evidence.push_back(utf8(fact));
    return {
        {"name", sdbus::Variant(utf8(volume.name))},
        {"device", sdbus::Variant(utf8(volume.device_path))},
        {"file_system", sdbus::Variant(utf8(volume.file_system))},
        {"uuid", sdbus::Variant(utf8(volume.uuid))},
        {"label", sdbus::Variant(utf8(volume.label))},
        {"mount_points", sdbus::Variant(mount_points)},
        {"size", sdbus::Variant(std::uint64_t{volume.size.count})},
        {"placement", sdbus::Variant(std::string(placement_name(volume.placement)))},
        {"evidence", sdbus::Variant(evidence)},
        {"disks", sdbus::Variant(disks)},
        {"process", sdbus::Variant(process)},
        {"overlays", sdbus::Variant(overlays)},
        {"swap_files", sdbus::Variant(swap_files)},
    };
}

} // namespace quiesced
