// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "volumes/block_graph.h"
#include "volumes/disk.h"
#include "volumes/volume.h"

namespace quiesced {

/// Sets `leaves`, `placement` and `evidence` of every volume afresh, from the disks below it; may be called again when
/// the disks have changed. Paths of a dm-multipath device learn of it, and are judged again. A file-backed loop device is
/// placed where its file's volume is; its entry in `disks` is filled in too. What goes wrong for a volume (a cycle, a
/// device that vanished) stands in its evidence and in `problems`.
void place_volumes(std::vector<Volume>& volumes, const BlockGraph& graph, std::map<DeviceNumber, Disk>& disks,
                   std::vector<std::string>& problems);

} // namespace quiesced
