// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "volumes/loop_status.h"

namespace quiesced {

/// More layers than these are taken for a mistake.
inline constexpr int kDeepestStack = 64;

/// The file behind a loop device. `file_system` is the st_dev of the file as the kernel holds it (LOOP_GET_STATUS64
/// lo_device), which a mount over the file's folder cannot fake; the path is for people only. In an Inventory the
/// number is always a volume's superblock, or 0:0 where no volume is known: btrfs has an st_dev for each subvolume,
/// and what is written to an overlay ends in the file system of its upper folder.
struct LoopBacking {
    std::string path;
    DeviceNumber file_system;
};

/// A block device and what lies directly below it.
struct BlockNode {
    enum class Kind { disk, partition, device_mapper, md, loop };
    DeviceNumber number;
    std::string name; ///< the kernel's: "dm-3"
    Kind kind = Kind::disk;
    std::string type; ///< as lsblk names it: "disk", "part", "lvm", "crypt", "mpath", "dm", "raid1", "loop", "rom"
    Bytes size;
    bool read_only = false;
    std::vector<DeviceNumber> lower;        ///< slaves, the partition's disk, or the block device behind a loop device
    std::string dm_name;                    ///< device_mapper only
    std::string dm_uuid;                    ///< device_mapper only: "LVM-..." for logical volumes
    std::optional<LoopBacking> backing;     ///< loop only, when a file backs it: then `lower` is empty
    [[nodiscard]] std::string path() const; ///< "/dev/mapper/NAME" or "/dev/NAME"
    /// Which of LVM's own layers it is: "tpool", "tdata", "real", "cow", "cdata", "vpool", "rimage"...; empty for a
    /// logical volume that people see, and for what is not LVM's.
    [[nodiscard]] std::string lvm_layer() const;
    /// LVM's own layers: devices that nobody but LVM may write to.
    [[nodiscard]] bool lvm_internal() const { return !lvm_layer().empty(); }
};

/// All block devices of the guest.
class BlockGraph {
public:
    explicit BlockGraph(std::map<DeviceNumber, BlockNode> nodes) : nodes_(std::move(nodes)) {}
    BlockGraph() = default;

    /// Reads sysfs; opens no device except loop devices with a backing file, for read_loop_status(), which `probe`
    /// replaces if it is set. A device that vanishes meanwhile is left out. When a loop device cannot be asked, its
    /// LoopBacking::file_system is 0:0. Errors: kernel (no sysfs).
    static Result<BlockGraph> read(const std::string& sysfs = "/sys", const LoopProbe& probe = {});

    [[nodiscard]] const BlockNode* find(DeviceNumber number) const;
    [[nodiscard]] const std::map<DeviceNumber, BlockNode>& nodes() const { return nodes_; }
    /// Disks and file-backed loop devices at the bottom of a device, each once. Stops at loop devices.
    /// Errors: unsupported for a cycle or a stack deeper than 64, io for a device that is not in the graph.
    [[nodiscard]] Result<std::vector<DeviceNumber>> leaves(DeviceNumber number) const;

private:
    std::map<DeviceNumber, BlockNode> nodes_;
};

} // namespace quiesced
