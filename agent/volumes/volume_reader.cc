// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/volume_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "base/file.h"
#include "volumes/local_path.h"

namespace quiesced {
namespace {

/// Block devices of the mounted btrfs file systems: /sys/fs/btrfs has a folder for each, named by its UUID.
std::map<std::string, std::vector<DeviceNumber>> read_btrfs_devices(const std::string& sysfs) {
    std::map<std::string, std::vector<DeviceNumber>> found;
    const auto base = sysfs + "/fs/btrfs";
    const auto folders = list_directory_at(AT_FDCWD, base);
    if (!folders) return found; // the module is not loaded
    for (const auto& uuid : *folders) {
        auto folder = base;
        folder.append("/").append(uuid).append("/devices");
        const auto devices = list_directory_at(AT_FDCWD, folder);
        if (!devices) continue; // "features"
        for (const auto& device : *devices)
            if (const auto text =
                    read_attribute_at(AT_FDCWD, std::string(folder).append("/").append(device).append("/dev")))
                if (const auto number = DeviceNumber::parse(*text)) found[uuid].push_back(*number);
    }
    return found;
}

bool reachable(const MountPoint& mount) { return !mount.hidden && !mount.behind_remote; }

/// Best first. The rest of the order is the kernel's.
void sort_mounts(Volume& volume) {
    const auto rank = [](const MountPoint& mount) {
        return std::tuple(mount.hidden, mount.behind_remote, mount.process.has_value(), mount.root != "/",
                          mount.path.size());
    };
    std::stable_sort(volume.mounts.begin(), volume.mounts.end(),
                     [&](const MountPoint& a, const MountPoint& b) { return rank(a) < rank(b); });
    const auto& best = volume.mounts.front();
    // A path of another namespace may be that of another volume here, and its process does not last.
    volume.name = best.hidden || best.process ? volume.device_path : best.path;
}

MountPoint mount_point(const MountEntry& entry) {
    return {.path = entry.mount_point,
            .mount_id = entry.mount_id,
            .root = entry.root,
            .read_only = has_option(entry.options, "ro")};
}

} // namespace

bool never_a_volume(const BlockNode& node) {
    constexpr std::uint32_t ram = 1;
    constexpr std::uint32_t floppy = 2;
    constexpr std::uint32_t cdrom = 11;
    constexpr std::uint32_t mtd = 31;
    const auto major = node.number.major;
    return node.size.count == 0 || major == ram || major == floppy || major == cdrom || major == mtd ||
           node.name.starts_with("zram") || node.lvm_internal() ||
           (node.kind == BlockNode::Kind::loop && !node.backing && node.lower.empty());
}

VolumeReader::VolumeReader(const SystemPaths& paths, const std::vector<MountEntry>& entries, const MountTree& tree,
                           const BlockGraph& graph)
    : paths_(paths), entries_(entries), tree_(tree), graph_(graph), lookup_(tree, graph, paths.sysfs),
      btrfs_devices_(read_btrfs_devices(paths.sysfs)) {
    for (const auto& [number, node] : graph.nodes()) {
        by_path_.emplace(node.path(), number);
        if (node.kind == BlockNode::Kind::device_mapper) by_path_.emplace("/dev/" + node.name, number);
    }
    for (const auto& [uuid, devices] : btrfs_devices_)
        for (const auto device : devices) btrfs_uuids_.emplace(device, uuid);
}

Volume& VolumeReader::volume_of(const MountEntry& entry) {
    const auto [place, is_new] = by_superblock_.emplace(entry.device, volumes_.size());
    if (!is_new) return volumes_.at(place->second);
    Volume volume;
    volume.superblock = entry.device;
    volume.file_system = entry.file_system;
    find_devices(volume, entry);
    describe(volume, entry.source);
    return volumes_.emplace_back(std::move(volume));
}

void VolumeReader::add_mounted(const std::map<DeviceNumber, DeviceNumber>& overlay_uppers) {
    std::vector<const MountEntry*> overlays;
    for (const auto& entry : entries_) {
        if (overlay_uppers.contains(entry.device)) {
            overlays.push_back(&entry);
            continue;
        }
        auto mount = mount_point(entry);
        mount.hidden = !tree_.visible(entry);
        mount.behind_remote = tree_.behind_remote(entry);
        volume_of(entry).mounts.push_back(std::move(mount));
    }
    for (auto& volume : volumes_) sort_mounts(volume);
    for (const auto* entry : overlays) {
        // Every upper superblock is that of an entry: it has a volume.
        auto& volume = volumes_.at(by_superblock_.at(overlay_uppers.at(entry->device)));
        auto& mount = volume.overlays.emplace_back(mount_point(*entry));
        mount.hidden = !tree_.visible(*entry);
        mount.behind_remote = tree_.behind_remote(*entry);
    }
}

void VolumeReader::add_foreign(std::vector<std::string>& problems) {
    std::set<DeviceNumber> reached;
    for (const auto& volume : volumes_)
        if (std::any_of(volume.mounts.begin(), volume.mounts.end(), reachable)) reached.insert(volume.superblock);
    const auto wanted = [&](DeviceNumber superblock, std::string_view type) {
        return (type == "btrfs" || graph_.find(superblock) != nullptr) && !reached.contains(superblock);
    };
    std::vector<ForeignMount> found;
    scan_mount_namespaces(
        paths_.proc,
        [&](const MountProcess& process, std::string_view table) { find_foreign_mounts(process, table, wanted, found); },
        problems);
    std::set<DeviceNumber> changed;
    for (const auto& foreign : found) {
        auto mount = mount_point(foreign.entry);
        mount.hidden = foreign.hidden;
        mount.behind_remote = foreign.behind_remote;
        mount.process = foreign.process;
        volume_of(foreign.entry).mounts.push_back(std::move(mount));
        changed.insert(foreign.entry.device);
    }
    for (const auto superblock : changed) sort_mounts(volumes_.at(by_superblock_.at(superblock)));
}

void VolumeReader::add_swaps(std::vector<SwapArea>& swaps) {
    for (auto& swap : swaps) {
        if (!swap.is_file) {
            swap.place = device_at(swap.path).value_or(DeviceNumber{});
            continue;
        }
        // The kernel's own path of the file: there are no links in it.
        const auto* entry = tree_.at(swap.path);
        const auto place = entry == nullptr ? by_superblock_.end() : by_superblock_.find(entry->device);
        if (place == by_superblock_.end()) continue;
        swap.place = entry->device;
        volumes_.at(place->second).swap_files.push_back(swap.path);
    }
}

void VolumeReader::add_unmounted(const std::vector<SwapArea>& swaps) {
    std::set<DeviceNumber> used;
    for (const auto& volume : volumes_) used.insert(volume.devices.begin(), volume.devices.end());
    for (const auto& [number, node] : graph_.nodes()) used.insert(node.lower.begin(), node.lower.end());
    for (const auto& [number, uuid] : btrfs_uuids_) used.insert(number);
    for (const auto& swap : swaps)
        if (!swap.is_file) used.insert(swap.place);
    for (const auto& [number, node] : graph_.nodes()) {
        if (used.contains(number) || never_a_volume(node)) continue;
        const auto signature = signature_of(node);
        if (!signature.stands_alone()) continue;
        Volume volume;
        volume.superblock = number;
        volume.file_system = signature.type;
        volume.uuid = signature.uuid;
        volume.label = signature.label;
        volume.devices = {number};
        volume.size = node.size;
        volume.device_path = volume.name = node.path();
        volumes_.push_back(std::move(volume));
    }
}

Signature VolumeReader::signature_of(const BlockNode& node) const {
    return read_signature(node, graph_, paths_.udev_data, paths_.dev, paths_.sysfs);
}

/// The block device that a mount's source or option names.
std::optional<DeviceNumber> VolumeReader::device_at(const std::string& source) const {
    constexpr std::string_view dev = "/dev/";
    if (!source.starts_with(dev)) return std::nullopt;
    if (const auto known = by_path_.find(source); known != by_path_.end()) return known->second;
    const auto reached = walk_path(paths_.dev + "/" + source.substr(dev.size()),
                                   [this](const std::string& part) { return lookup_.may_block(part); });
    if (!reached || reached->stopped || !S_ISBLK(reached->status.st_mode)) return std::nullopt;
    const auto number = DeviceNumber::from(reached->status.st_rdev);
    return graph_.find(number) == nullptr ? std::nullopt : std::optional(number);
}

void VolumeReader::find_devices(Volume& volume, const MountEntry& entry) const {
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

void VolumeReader::find_btrfs_devices(Volume& volume, const MountEntry& entry) const {
    const auto source = device_at(entry.source);
    const auto known = source ? btrfs_uuids_.find(*source) : btrfs_uuids_.end();
    if (known != btrfs_uuids_.end())
        volume.uuid = known->second;
    else if (!source && btrfs_devices_.size() == 1) // "/dev/root" of a machine without an initramfs
        volume.uuid = btrfs_devices_.begin()->first;
    if (source) volume.devices.push_back(*source);
    const auto devices = btrfs_devices_.find(volume.uuid);
    if (devices == btrfs_devices_.end()) return;
    for (const auto number : devices->second)
        if (!source || number != *source) volume.devices.push_back(number);
}

/// Size, paths and names, from the first device.
void VolumeReader::describe(Volume& volume, const std::string& source) const {
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

} // namespace quiesced
