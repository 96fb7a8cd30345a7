// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <map>
#include <string>

#include "volumes/block_graph.h"
#include "volumes/mount_tree.h"

namespace quiesced {

/// On which mount a path lies. Symbolic links are followed as far as that can never block: not on network, autofs and
/// FUSE mounts, nor on file systems whose device is suspended or has lost its paths. Beyond that the text alone decides.
/// Refers to what it was made from.
class MountLookup {
public:
    MountLookup(const MountTree& tree, const BlockGraph& graph, const std::string& sysfs)
        : tree_(tree), graph_(graph), sysfs_(sysfs) {}

    /// Whether not even lstat() may be called on it.
    [[nodiscard]] bool may_block(const std::string& path) const;
    /// The mount of an absolute path, nullptr where there is none.
    [[nodiscard]] const MountEntry* find(const std::string& path) const;

private:
    const MountTree& tree_;
    const BlockGraph& graph_;
    const std::string& sysfs_;
};

/// For each overlay that can be written to: the superblock that holds its upper folder, where what is written goes.
std::map<DeviceNumber, DeviceNumber> find_overlay_uppers(const std::vector<MountEntry>& entries,
                                                         const MountLookup& lookup);

} // namespace quiesced
