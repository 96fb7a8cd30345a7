// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

// A writable layer over a snapshot: a device-mapper snapshot of it whose exceptions are in memory. The kernel frees that memory
// when the layer is removed. The device below is only read, and may be read-only. Needs root.

/// Largest amount of memory that the writes through one layer may take; a layer that needs more is lost, not the snapshot.
inline constexpr std::uint64_t kLayerLimit = 1ULL << 30U; // bytes

/// A layer as the kernel has it.
struct Layer {
    std::string name;    ///< of the device-mapper device
    DeviceNumber number;
    [[nodiscard]] std::string path() const { return "/dev/dm-" + std::to_string(number.minor); }
};

/// Lays one over `device`, the `index`-th of the set. udev is told to leave it alone: no link in /dev/disk leads to it, and btrfs
/// does not hear of it. Errors: busy (it is there already), kernel, io.
Result<Layer> add_layer(const SetId& set, std::size_t index, const std::string& device);

/// All layers of a set.
Result<std::vector<Layer>> layers_of(const SetId& set);

/// Errors: busy (mounted, or open), kernel. One that is gone is no error.
Result<void> remove_layer(const Layer& layer);

} // namespace quiesced
