// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "base/file.h"
#include "volumes/disk_probe.h"
#include "volumes/file_system_type.h"
#include "volumes/inventory.h"
#include "volumes/local_path.h"
#include "volumes/loop_backing.h"
#include "volumes/mount_tree.h"
#include "volumes/mountinfo.h"
#include "volumes/placement.h"
#include "volumes/signature.h"

namespace quiesced {
namespace {

/// Block devices of the mounted btrfs file systems: /sys/fs/btrfs has a folder for each, named by its UUID.
std::map<DeviceNumber, std::string> read_btrfs_devices(const std::string& sysfs) {
    std::map<DeviceNumber, std::string> uuids;
    const auto base = sysfs + "/fs/btrfs";
    const auto folders = list_directory_at(AT_FDCWD, base);
    if (!folders) return uuids; // the module is not loaded
    for (const auto& uuid : *folders) {
        auto folder = base;
        folder.append("/").append(uuid).append("/devices");
        const auto devices = list_directory_at(AT_FDCWD, folder);
        if (!devices) continue; // "features"
        for (const auto& device : *devices)
            if (const auto text =
                    read_attribute_at(AT_FDCWD, std::string(folder).append("/").append(device).append("/dev")))
                if (const auto number = DeviceNumber::parse(*text)) uuids.emplace(*number, uuid);
    }
    return uuids;
}

/// Devices that are never volumes: memory, floppies, CD and DVD drives, raw flash, compressed swap, LVM's layers.
bool is_excluded(const BlockNode& node) {
    constexpr std::uint32_t ram = 1;
    constexpr std::uint32_t floppy = 2;
    constexpr std::uint32_t cdrom = 11;
    constexpr std::uint32_t mtd = 31;
    const auto major = node.number.major;
    return node.size.count == 0 || major == ram || major == floppy || major == cdrom || major == mtd ||
           node.name.starts_with("zram") || node.lvm_internal() ||
           (node.kind == BlockNode::Kind::loop && !node.backing && node.lower.empty());
}

/// Puts the volumes together from what the kernel's tables say.
class Reader {
public:
    Reader(const SystemPaths& paths, const std::vector<MountEntry>& entries, const MountTree& tree,
           const BlockGraph& graph)
        : paths_(paths), entries_(entries), tree_(tree), graph_(graph), btrfs_(read_btrfs_devices(paths.sysfs)) {}

    /// One volume for each superblock, however often it is mounted.
    std::vector<Volume> read_mounted() {
        std::vector<Volume> volumes;
        std::map<DeviceNumber, std::size_t> by_superblock;
        for (const auto& entry : entries_) {
            const auto [place, is_new] = by_superblock.emplace(entry.device, volumes.size());
            if (is_new) {
                Volume volume;
                volume.superblock = entry.device;
                volume.file_system = entry.file_system;
                find_devices(volume, entry);
                describe(volume, entry.source);
                volumes.push_back(std::move(volume));
            }
            volumes.at(place->second)
                .mounts.push_back({.path = entry.mount_point,
                                   .mount_id = entry.mount_id,
                                   .root = entry.root,
                                   .read_only = has_option(entry.options, "ro"),
                                   .hidden = !tree_.visible(entry)});
        }
        for (auto& volume : volumes) {
            std::stable_sort(volume.mounts.begin(), volume.mounts.end(), [](const MountPoint& a, const MountPoint& b) {
                return std::tuple(a.hidden, a.root != "/", a.path.size()) <
                       std::tuple(b.hidden, b.root != "/", b.path.size());
            });
            const auto& best = volume.mounts.front();
            volume.name = best.hidden ? volume.device_path : best.path;
        }
        return volumes;
    }

    /// Block devices that nothing uses: raw volumes, and file systems that are not mounted.
    [[nodiscard]] std::vector<Volume> read_unmounted(const std::vector<Volume>& mounted) const {
        std::set<DeviceNumber> used;
        for (const auto& volume : mounted) used.insert(volume.devices.begin(), volume.devices.end());
        for (const auto& [number, node] : graph_.nodes()) used.insert(node.lower.begin(), node.lower.end());
        for (const auto& [number, uuid] : btrfs_) used.insert(number);
        std::vector<Volume> volumes;
        for (const auto& [number, node] : graph_.nodes()) {
            if (used.contains(number) || is_excluded(node)) continue;
            const auto signature = signature_of(node);
            if (!signature.stands_alone()) continue;
            Volume volume;
            volume.superblock = number;
            volume.file_system = signature.type;
            volume.devices = {number};
            describe(volume, {});
            volume.name = volume.device_path;
            volumes.push_back(std::move(volume));
        }
        return volumes;
    }

    [[nodiscard]] std::map<DeviceNumber, Disk> read_disks(std::vector<std::string>& problems) const {
        std::map<DeviceNumber, Disk> disks;
        for (const auto& [number, node] : graph_.nodes()) {
            if (!node.lower.empty() || is_excluded(node)) continue;
            if (node.kind == BlockNode::Kind::disk) {
                if (auto disk = probe_disk(node, paths_.sysfs))
                    disks.emplace(number, std::move(*disk));
                else
                    problems.push_back(disk.error().message());
                continue;
            }
            // A loop device gets its placement from its file's volume; a dm device without slaves (error, zero) has none.
            Disk disk;
            disk.number = number;
            disk.name = node.name;
            disk.size = node.size;
            disk.placement = Placement::none;
            if (node.backing) disk.transport = "loop";
            disk.evidence = {node.backing ? "file=" + node.backing->path : "no disk is below it"};
            disks.emplace(number, std::move(disk));
        }
        return disks;
    }

private:
    [[nodiscard]] Signature signature_of(const BlockNode& node) const {
        return read_signature(node, graph_, paths_.udev_data, paths_.dev, paths_.sysfs);
    }

    /// The block device that a mount's source or option names.
    [[nodiscard]] std::optional<DeviceNumber> device_at(const std::string& source) const {
        constexpr std::string_view dev = "/dev/";
        if (!source.starts_with(dev)) return std::nullopt;
        for (const auto& [number, node] : graph_.nodes())
            if (source == node.path()) return number;
        const auto forbidden = [this](const std::string& part) {
            const auto* entry = tree_.at(part);
            return entry != nullptr && classify_file_system(entry->file_system).remote_answer;
        };
        const auto reached = walk_path(paths_.dev + "/" + source.substr(dev.size()), forbidden);
        if (!reached || reached->stopped || !S_ISBLK(reached->status.st_mode)) return std::nullopt;
        const auto number = DeviceNumber::from(reached->status.st_rdev);
        return graph_.find(number) == nullptr ? std::nullopt : std::optional(number);
    }

    void find_devices(Volume& volume, const MountEntry& entry) const {
        if (entry.file_system == "btrfs") {
            find_btrfs_devices(volume, entry);
            return;
        }
        if (graph_.find(entry.device) == nullptr) return;
        volume.devices.push_back(entry.device);
        if (entry.file_system != "xfs") return;
        for (const auto* option : {"logdev", "rtdev"})
            if (const auto device = device_at(option_value(entry.super_options, option)))
                volume.devices.push_back(*device);
    }

    void find_btrfs_devices(Volume& volume, const MountEntry& entry) const {
        const auto source = device_at(entry.source);
        const auto known = source ? btrfs_.find(*source) : btrfs_.end();
        std::set<std::string> uuids;
        for (const auto& [number, uuid] : btrfs_) uuids.insert(uuid);
        if (known != btrfs_.end())
            volume.uuid = known->second;
        else if (!source && uuids.size() == 1) // "/dev/root" of a machine without an initramfs
            volume.uuid = *uuids.begin();
        if (source) volume.devices.push_back(*source);
        for (const auto& [number, uuid] : btrfs_)
            if (uuid == volume.uuid && (!source || number != *source)) volume.devices.push_back(number);
    }

    /// Size, paths and names, from the first device.
    void describe(Volume& volume, const std::string& source) const {
        volume.device_path = source;
        for (const auto device : volume.devices)
            if (const auto* node = graph_.find(device)) volume.size = volume.size + node->size;
        const auto* first = volume.devices.empty() ? nullptr : graph_.find(volume.devices.front());
        if (first == nullptr) return;
        volume.device_path = first->path();
        const auto signature = signature_of(*first);
        if (volume.uuid.empty()) volume.uuid = signature.uuid;
        volume.label = signature.label;
    }

    const SystemPaths& paths_;
    const std::vector<MountEntry>& entries_;
    const MountTree& tree_;
    const BlockGraph& graph_;
    std::map<DeviceNumber, std::string> btrfs_;
};

} // namespace

Result<Inventory> Inventory::read(const SystemPaths& paths, const LoopProbe& probe) {
    const auto table = read_mountinfo(paths.mountinfo);
    if (!table) return tl::unexpected<Error>(table.error());
    const MountTree tree(table->entries);
    // LOOP_GET_STATUS64 asks the backing file's file system: a dead server's mount must not be asked, its number in
    // the mount table has to do.
    const auto ask = [&](const std::string& name, const std::string& backing_path) -> Result<LoopStatus> {
        const auto* entry = tree.at(backing_path);
        if (entry != nullptr && classify_file_system(entry->file_system).remote_answer)
            return LoopStatus{.file_system = entry->device, .device = std::nullopt};
        return probe ? probe(name, backing_path) : read_loop_status(paths.dev, name);
    };
    const auto graph = BlockGraph::read(paths.sysfs, ask);
    if (!graph) return tl::unexpected<Error>(graph.error());

    std::vector<std::string> problems;
    for (const auto& error : table->errors) problems.push_back(error.reason);
    Reader reader(paths, table->entries, tree, *graph);
    auto volumes = reader.read_mounted();
    auto unmounted = reader.read_unmounted(volumes);
    std::move(unmounted.begin(), unmounted.end(), std::back_inserter(volumes));
    auto disks = reader.read_disks(problems);
    auto settled = settle_loop_backings(*graph, volumes, table->entries, tree, problems);
    place_volumes(volumes, settled, disks, problems);

    Inventory inventory(std::move(volumes), std::move(settled), std::move(disks));
    inventory.problems_ = std::move(problems);
    return inventory;
}

} // namespace quiesced
