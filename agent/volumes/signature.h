// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "volumes/block_graph.h"

namespace quiesced {

/// What is written on a block device. All empty: nothing that is known.
struct Signature {
    std::string type; ///< "ext4", "swap", "LVM2_member"
    std::string uuid;
    std::string label;
    /// Whether it can be a volume of its own. False for swap and for parts of something else (PV, RAID member, journal).
    [[nodiscard]] bool stands_alone() const;
};

/// Parses an entry of the udev database (/run/udev/data/b252:0).
Signature parse_udev_signature(std::string_view text);

/// Low-level probe with libblkid, without its cache. Reads at most some 100 KiB from the device or file.
/// Errors: io (unreadable, or signatures that contradict each other).
Result<Signature> probe_signature(int fd);

/// Whether a read from the device may wait for ever: a suspended dm device, or a multipath device (which may have no
/// path), is it or below it.
bool reading_may_block(const BlockNode& node, const BlockGraph& graph, const std::string& sysfs);

/// The signature of a device: from the udev database where that knows the device; otherwise by a probe of the node
/// DEV/<kernel's name>, unless reading_may_block() or the node is another device's: then it is empty.
Signature read_signature(const BlockNode& node, const BlockGraph& graph, const std::string& udev_data,
                         const std::string& dev, const std::string& sysfs);

} // namespace quiesced
