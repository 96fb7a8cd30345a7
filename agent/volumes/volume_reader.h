// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "volumes/inventory.h"
#include "volumes/mount_lookup.h"
#include "volumes/mount_namespaces.h"
#include "volumes/signature.h"

namespace quiesced {

/// Devices that are never volumes: memory, floppies, CD and DVD drives, raw flash, compressed swap, LVM's layers.
bool never_a_volume(const BlockNode& node);

/// Puts the volumes together from what the kernel's tables say. Refers to what it was made from. Each step goes on
/// with what those before it have found; places are judged by place_volumes() afterwards.
class VolumeReader {
public:
    VolumeReader(const SystemPaths& paths, const std::vector<MountEntry>& entries, const MountTree& tree,
                 const BlockGraph& graph);

    /// One volume for each superblock, however often it is mounted. Overlays are mount points of the volumes that
    /// `overlay_uppers` names.
    void add_mounted(const std::map<DeviceNumber, DeviceNumber>& overlay_uppers);
    /// What is mounted in other namespaces and cannot be reached in ours, if it lies on a block device.
    void add_foreign(std::vector<std::string>& problems);
    /// Finds the places of swap areas, and notes swap files with their volumes.
    void add_swaps(std::vector<SwapArea>& swaps);
    /// Block devices that nothing uses: raw volumes, and file systems that are not mounted.
    void add_unmounted(const std::vector<SwapArea>& swaps);

    std::vector<Volume> take() { return std::move(volumes_); }

private:
    /// Makes the volume of a superblock, if it is new.
    Volume& volume_of(const MountEntry& entry);
    [[nodiscard]] Signature signature_of(const BlockNode& node) const;
    [[nodiscard]] std::optional<DeviceNumber> device_at(const std::string& source) const;
    void find_devices(Volume& volume, const MountEntry& entry) const;
    void find_btrfs_devices(Volume& volume, const MountEntry& entry) const;
    void describe(Volume& volume, const std::string& source) const;

    const SystemPaths& paths_;
    const std::vector<MountEntry>& entries_;
    const MountTree& tree_;
    const BlockGraph& graph_;
    MountLookup lookup_;
    std::unordered_map<std::string, DeviceNumber> by_path_;    ///< block devices by path below /dev
    std::map<DeviceNumber, std::string> btrfs_uuids_;          ///< of each device of a mounted btrfs
    std::map<std::string, std::vector<DeviceNumber>> btrfs_devices_;
    std::vector<Volume> volumes_;
    std::map<DeviceNumber, std::size_t> by_superblock_;
};

} // namespace quiesced
