// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/inventory.h"

#include <algorithm>
#include <set>

namespace quiesced {

Inventory::Inventory(std::vector<Volume> volumes, BlockGraph graph, std::map<DeviceNumber, Disk> disks)
    : volumes_(std::move(volumes)), graph_(std::move(graph)), disks_(std::move(disks)) {
    for (std::size_t i = 0; i < volumes_.size(); ++i) by_superblock_.emplace(volumes_[i].superblock, i);
}

const Volume* Inventory::backing_of(const Volume& volume) const {
    std::map<DeviceNumber, int> depths;
    return deepest_backing(volume, depths).volume;
}

/// `depths` are those that are known; 0 for volumes whose search is under way, so that one which lies on itself ends it.
Inventory::Backing Inventory::deepest_backing(const Volume& volume, std::map<DeviceNumber, int>& depths) const {
    Backing deepest;
    depths[volume.superblock] = 0;
    for (const auto leaf : volume.leaves) {
        const auto* node = graph_.find(leaf);
        if (node == nullptr || !node->backing || node->backing->file_system == DeviceNumber{}) continue;
        const auto found = by_superblock_.find(node->backing->file_system);
        if (found == by_superblock_.end()) continue;
        const auto& candidate = volumes_[found->second];
        const auto known = depths.find(candidate.superblock);
        const int depth = 1 + (known != depths.end() ? known->second : deepest_backing(candidate, depths).depth);
        if (depth > deepest.depth) deepest = {&candidate, depth};
    }
    depths[volume.superblock] = deepest.depth;
    return deepest;
}

Result<std::vector<const Volume*>> Inventory::stacked_on(const Volume& volume) const {
    // Who lies in files of whom, once for all volumes: the walk below asks often.
    std::multimap<DeviceNumber, const Volume*> by_backing;
    for (const auto& candidate : volumes_)
        for (const auto leaf : candidate.leaves)
            if (const auto* node = graph_.find(leaf); node != nullptr && node->backing)
                by_backing.emplace(node->backing->file_system, &candidate);

    std::vector<const Volume*> found;
    std::set<DeviceNumber> seen;
    std::vector<DeviceNumber> next{volume.superblock};
    for (std::size_t i = 0; i < next.size(); ++i) {
        const auto [first, last] = by_backing.equal_range(next.at(i));
        for (auto it = first; it != last; ++it) {
            const auto& upper = *it->second;
            if (upper.superblock == volume.superblock)
                return fail(ErrorKind::loop_backing,
                            "volume " + volume.name + " lies in a loop file on itself, so it cannot be frozen",
                            "Move the loop device's file to another file system; 'losetup -l' shows it.");
            if (!seen.insert(upper.superblock).second) continue;
            next.push_back(upper.superblock);
            // Nobody writes through an unmounted file system; freezing needs a mount.
            if (!upper.mounts.empty()) found.push_back(&upper);
        }
    }
    return found;
}

} // namespace quiesced
