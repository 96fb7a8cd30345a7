// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "volumes/block_graph.h"
#include "volumes/disk.h"
#include "volumes/loop_status.h"
#include "volumes/swap_area.h"
#include "volumes/volume.h"

namespace quiesced {

struct PlacementVerdict;

/// Where the kernel's tables are; a test points these at a fixture tree.
struct SystemPaths {
    std::string mountinfo = "/proc/self/mountinfo";
    std::string sysfs = "/sys";
    std::string dev = "/dev";
    std::string udev_data = "/run/udev/data";
    std::string proc = "/proc"; ///< the processes' mount namespaces, and the swap areas
};

/// What this guest has: volumes, the devices below them, the disks at the bottom. A value: read once, then only asked.
/// Volumes are superblocks and raw block devices, those of other mount namespaces among them (if they lie on a block device).
/// Never opens a path on a network, autofs or FUSE mount.
class Inventory {
public:
    Inventory() = default;
    Inventory(std::vector<Volume> volumes, BlockGraph graph, std::map<DeviceNumber, Disk> disks);

    /// Blocking, but on local files only; callable from any thread. `probe` replaces read_loop_status() if set; it is
    /// never asked about a file on a network, autofs or FUSE mount. What concerns one volume or device only goes to
    /// problems(). Errors: kernel, limit (no mount table, no sysfs).
    static Result<Inventory> read(const SystemPaths& paths = {}, const LoopProbe& probe = {});

    [[nodiscard]] const std::vector<Volume>& volumes() const { return volumes_; }
    [[nodiscard]] const BlockGraph& graph() const { return graph_; }
    /// Leaf devices, file-backed loop devices among them.
    [[nodiscard]] const std::map<DeviceNumber, Disk>& disks() const { return disks_; }
    /// Swap partitions and swap files in use.
    [[nodiscard]] const std::vector<SwapArea>& swaps() const { return swaps_; }
    /// What could not be understood while reading, a sentence each: for the log.
    [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

    /// The volume that a requestor names: a mount point, a device path (any link to it), UUID=... or LABEL=... (of
    /// several, the mounted one). An overlay's mount point names the volume of its upper folder; one of another
    /// namespace is named "/proc/PID/root/..." as in MountPoint::open_path().
    /// Errors, each with what to do: no_such_volume; not_mounted (an existing folder that is no mount point, says on
    /// which volume it lies; a mount point of another namespace, says of whose); unsupported (tmpfs, network and other file systems without a disk; a device that is in
    /// use below another); invalid_argument (no such form of name, or several volumes answer to it).
    /// The result points into this inventory.
    [[nodiscard]] Result<const Volume*> resolve(const std::string& name) const;

    /// The volume on which an absolute path lies, a file or folder that is there; symbolic links are followed as far as that
    /// can never block. Errors: invalid_argument (not absolute), no_such_volume (it is not there).
    [[nodiscard]] Result<const Volume*> holder_of(const std::string& path) const;

    /// File systems that must be frozen before `volume` because they lie in loop files on it, directly or further
    /// up. Errors: loop_backing when the volume lies on itself.
    [[nodiscard]] Result<std::vector<const Volume*>> stacked_on(const Volume& volume) const;

    /// The volume whose file backs the loop device that `volume` lies on; of several the one that itself lies on the most
    /// others. nullptr when there is none.
    [[nodiscard]] const Volume* backing_of(const Volume& volume) const;

    /// Puts what the hypervisor said of its disks, by stable_key(), in the place of our guesses, in all volumes above them.
    void overrule(const std::map<std::string, PlacementVerdict>& verdicts);

private:
    struct Backing {
        const Volume* volume = nullptr;
        int depth = 0; ///< how many files deep
    };
    [[nodiscard]] Backing deepest_backing(const Volume& volume, std::map<DeviceNumber, int>& depths) const;

    std::vector<Volume> volumes_;
    std::map<DeviceNumber, std::size_t> by_superblock_; ///< index in volumes_
    BlockGraph graph_;
    std::map<DeviceNumber, Disk> disks_;
    std::vector<SwapArea> swaps_;
    std::vector<std::string> problems_;
};

} // namespace quiesced
