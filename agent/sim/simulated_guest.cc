// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sim/simulated_guest.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "sim/simulated_provider.h"
#include "volumes/disk_probe.h"
#include "volumes/placement.h"

namespace quiesced {
namespace {

constexpr std::uint32_t kMajor = 250; ///< reserved for local use (Linux's devices.txt)

struct Described {
    std::string mount; ///< empty: not mounted
    std::string file_system;
    std::uint64_t size;
    Placement placement;
};

constexpr std::uint64_t kGiB = 1U << 30U;
std::vector<Described> described_volumes() {
    std::vector<Described> all{
        Described{"/srv/data", "ext4", 64 * kGiB, Placement::virtual_disk},
        Described{"/srv/more", "ext4", 8 * kGiB, Placement::virtual_disk},
        Described{"/srv/log", "xfs", 32 * kGiB, Placement::virtual_disk},
        Described{"/srv/pool", "btrfs", 128 * kGiB, Placement::virtual_disk},
        Described{"/srv/lun", "xfs", 512 * kGiB, Placement::lun},
        Described{"/srv/mixed", "xfs", 16 * kGiB, Placement::mixed},
        Described{"", "", kGiB, Placement::virtual_disk},
    };
    for (int i = 0; i < 20; ++i)
        all.push_back({std::string("/srv/small/") + (i < 10 ? "0" : "") + std::to_string(i), "ext4", kGiB, Placement::virtual_disk});
    return all;
}

Disk disk_of(const BlockNode& node, Placement placement) {
    Disk disk;
    disk.number = node.number;
    disk.name = node.name;
    disk.size = node.size;
    disk.transport = placement == Placement::lun ? "iscsi" : "virtio";
    disk.vendor = "SIM";
    disk.model = "simulated disk";
    disk.serial = "SIM" + std::to_string(node.number.minor);
    if (placement == Placement::lun) disk.fabric = "simulated session";
    if (placement == Placement::lun) disk.wwid = "naa.6000000000000000000000000000" + std::to_string(1000 + node.number.minor);
    if (!disk.wwid.empty()) disk.wwids = {disk.wwid};
    judge_placement(disk);
    return disk;
}

/// On all of these disks.
Volume volume_of(const Described& described, const std::vector<BlockNode>& nodes) {
    Volume volume;
    volume.device_path = nodes.front().path();
    volume.name = described.mount.empty() ? volume.device_path : described.mount;
    volume.superblock = nodes.front().number;
    volume.file_system = described.file_system;
    volume.label = nodes.front().name;
    for (const auto& node : nodes) {
        volume.devices.push_back(node.number);
        volume.size.count += node.size.count;
    }
    if (!described.mount.empty())
        volume.mounts.push_back({.path = described.mount, .mount_id = 1000 + volume.superblock.minor, .root = "/"});
    return volume;
}

Inventory make_inventory() {
    std::vector<Volume> volumes;
    std::map<DeviceNumber, BlockNode> nodes;
    std::map<DeviceNumber, Disk> disks;
    std::uint32_t minor = 0;
    for (const auto& described : described_volumes()) {
        std::vector<BlockNode> own;
        const auto add = [&](Placement placement) {
            BlockNode node;
            node.number = {kMajor, minor};
            node.name = "sim" + std::to_string(minor++);
            node.type = "disk";
            node.size = {described.size};
            nodes[node.number] = node;
            disks[node.number] = disk_of(node, placement);
            own.push_back(std::move(node));
        };
        if (described.placement == Placement::mixed) {
            add(Placement::virtual_disk);
            add(Placement::lun);
        } else {
            add(described.placement);
        }
        volumes.push_back(volume_of(described, own));
    }
    BlockGraph graph(std::move(nodes));
    std::vector<std::string> problems;
    place_volumes(volumes, graph, disks, problems);
    return {std::move(volumes), std::move(graph), std::move(disks)};
}

} // namespace

Result<std::unique_ptr<SimulatedGuest>> SimulatedGuest::make() {
    auto world = SimWorld::create();
    if (!world) return fail_errno("cannot map memory for the simulated kernel", errno, ErrorKind::kernel);
    auto inventory = make_inventory();
    std::map<std::string, UniqueFd> mounts;
    for (const auto& volume : inventory.volumes()) {
        if (volume.mounts.empty()) continue;
        const auto& mount = volume.mounts.front();
        auto fd = world->add_file_system(mount.path);
        if (!fd) return fail_errno("cannot make a memory file for " + mount.path, errno, ErrorKind::kernel);
        world->set_identity(mount.path, {.superblock = volume.superblock, .mount_id = mount.mount_id});
        mounts.emplace(mount.path, std::move(fd));
    }
    return std::unique_ptr<SimulatedGuest>(new SimulatedGuest(std::move(world), std::move(inventory), std::move(mounts))); // house-allow(new): private constructor, owned at once
}

void SimulatedGuest::replace(SetManagerOptions& options) {
    auto& environment = options.environment;
    environment.make_kernel = [this] { return world_->kernel(); };
    environment.make_launcher = [this] { return std::make_unique<ThreadLauncher>(world_->kernel()); };
    environment.open_mount = [this](const std::string& path) -> Result<OpenedMount> {
        const auto found = mounts_.find(path);
        if (found == mounts_.end()) return fail(ErrorKind::no_such_volume, "nothing is mounted on " + path);
        UniqueFd fd(::fcntl(found->second.get(), F_DUPFD_CLOEXEC, 0));
        if (!fd) return fail_errno("cannot open " + path);
        return OpenedMount{.fd = std::move(fd), .identity = world_->identity(path)};
    };
    environment.journal = nullptr;
    options.inventory = std::make_shared<InventoryCache>([this]() -> Result<Inventory> { return inventory_; });
    // The machine's own state says nothing about this guest.
    options.host = {.diskstats = "/nonexistent", .kernel_settings = "/nonexistent", .journal = "/nonexistent", .lvm = "/nonexistent"};
}

SetManager::Providers SimulatedGuest::providers() const {
    return [providers = std::vector<std::shared_ptr<Provider>>{make_simulated_array(faults_), make_simulated_lvm(faults_)}] { return providers; };
}

} // namespace quiesced
