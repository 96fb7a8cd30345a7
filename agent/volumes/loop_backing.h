// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "volumes/block_graph.h"
#include "volumes/mount_tree.h"
#include "volumes/mountinfo.h"
#include "volumes/volume.h"

namespace quiesced {

/// Makes the `file_system` of every loop device's backing file the superblock number of the volume that it is written
/// to, where the kernel's st_dev is not that already (btrfs subvolumes, overlays, devices that could not be asked);
/// 0:0 where there is none. `overlay_uppers` is what find_overlay_uppers() found. Touches no path on a network, autofs or FUSE mount. What is unclear goes to `problems`.
BlockGraph settle_loop_backings(const BlockGraph& graph, const std::vector<Volume>& volumes,
                                const std::vector<MountEntry>& entries, const MountTree& tree,
                                const std::map<DeviceNumber, DeviceNumber>& overlay_uppers,
                                std::vector<std::string>& problems);

} // namespace quiesced
