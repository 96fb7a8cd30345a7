// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <filesystem>

#include "volumes/inventory.h"

namespace quiesced {

/// Writes the kernel's tables of a machine with `devices` block devices and as many mounts into an empty folder, which
/// becomes its root: sysfs, /proc with 200 processes in mount namespaces of their own for every 50 devices, udev's
/// database. Each ten devices are a virtio disk with two partitions, two iSCSI paths of one LUN, the multipath device over
/// them, three logical volumes on that, and a loop device whose file is on one of these. Throws std::filesystem_error.
void write_machine(const std::filesystem::path& root, std::size_t devices);

/// Where the tables of such a machine are.
SystemPaths machine_paths(const std::filesystem::path& root);
/// Answers for its loop devices.
LoopProbe machine_probe();

} // namespace quiesced
