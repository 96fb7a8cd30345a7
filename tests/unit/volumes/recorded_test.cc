// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The inventory of machines that were recorded (tests/fixtures) against what lsblk, findmnt and udevadm said of the same
// machine at the same moment. Where we differ from them, the test says why.
#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>

#include "recording.h"

namespace quiesced {
namespace {

using testing::IsSupersetOf;

std::string trimmed(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.erase(0, 1);
    return text;
}

std::string name_of(const std::string& archive) {
    auto name = std::filesystem::path(archive).filename().string();
    name.resize(name.find('.'));
    std::replace_if(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return name;
}

/// A recording is unpacked once for all tests of it.
class Recorded : public testing::TestWithParam<std::string> {
protected:
    struct Machine {
        explicit Machine(const std::string& archive) : recording(archive), inventory(recording.inventory()) {}
        Recording recording;
        Inventory inventory;
    };
    void SetUp() override {
        static std::map<std::string, std::unique_ptr<Machine>> machines;
        auto& machine = machines[GetParam()];
        if (!machine) machine = std::make_unique<Machine>(GetParam());
        machine_ = machine.get();
    }
    [[nodiscard]] const Recording& said() const { return machine_->recording; }
    [[nodiscard]] const Inventory& ours() const { return machine_->inventory; }

    [[nodiscard]] std::string property(DeviceNumber number, const std::string& name) const {
        const auto device = said().properties.find(number);
        if (device == said().properties.end()) return {};
        const auto value = device->second.find(name);
        return value == device->second.end() ? std::string() : value->second;
    }
    /// The block device behind a loop device, of which lsblk knows nothing.
    [[nodiscard]] std::vector<DeviceNumber> behind_loop(DeviceNumber number) const {
        const auto* node = ours().graph().find(number);
        return node != nullptr && node->kind == BlockNode::Kind::loop ? node->lower : std::vector<DeviceNumber>{};
    }
    /// The devices at the bottom, by lsblk.
    void bottoms(DeviceNumber number, std::set<DeviceNumber>& found) const {
        auto below = said().devices.at(number).parents;
        const auto behind = behind_loop(number);
        below.insert(behind.begin(), behind.end());
        if (below.empty()) found.insert(number);
        for (const auto lower : below) bottoms(lower, found);
    }
    [[nodiscard]] const Volume* volume_of(DeviceNumber superblock) const {
        for (const auto& volume : ours().volumes())
            if (volume.superblock == superblock) return &volume;
        return nullptr;
    }

    [[nodiscard]] bool is_overlay_of_a_volume(const SaidMount& row) const {
        if (row.type != "overlay") return false;
        const auto& volumes = ours().volumes();
        return std::any_of(volumes.begin(), volumes.end(), [&](const Volume& volume) {
            return std::any_of(volume.overlays.begin(), volume.overlays.end(), [&](const MountPoint& point) {
                return point.mount_id == row.id && point.path == row.target && !point.process;
            });
        });
    }

private:
    const Machine* machine_ = nullptr;
};

TEST_P(Recorded, EveryBlockDeviceIsAsLsblkSays) {
    ASSERT_GE(said().devices.size(), 8U);
    for (const auto& [number, device] : said().devices) {
        SCOPED_TRACE(device.name);
        const auto* node = ours().graph().find(number);
        ASSERT_NE(node, nullptr);
        EXPECT_EQ(node->name, device.name);
        EXPECT_EQ(node->path(), device.path);
        EXPECT_EQ(node->size, device.size);
        EXPECT_EQ(node->read_only, device.read_only);
        EXPECT_EQ(node->type, device.type);
    }
    for (const auto& [number, node] : ours().graph().nodes()) EXPECT_TRUE(said().devices.contains(number)) << node.name;
}

TEST_P(Recorded, EveryDeviceLiesOnWhatLsblkSays) {
    for (const auto& [number, device] : said().devices) {
        SCOPED_TRACE(device.name);
        if (!behind_loop(number).empty()) continue;
        const auto& lower = ours().graph().find(number)->lower;
        EXPECT_EQ(std::set<DeviceNumber>(lower.begin(), lower.end()), device.parents);
    }
}

TEST_P(Recorded, TheLeavesOfEveryVolumeAreThoseAtTheBottomOfLsblksTree) {
    std::size_t compared = 0;
    for (const auto& volume : ours().volumes()) {
        SCOPED_TRACE(volume.name);
        std::set<DeviceNumber> expected;
        for (const auto device : volume.devices) bottoms(device, expected);
        EXPECT_EQ(std::set<DeviceNumber>(volume.leaves.begin(), volume.leaves.end()), expected);
        for (const auto leaf : volume.leaves) EXPECT_TRUE(ours().disks().contains(leaf));
        compared += expected.size();
    }
    EXPECT_GE(compared, 5U);
}

TEST_P(Recorded, EveryDiskHasTheIdentityThatUdevSays) {
    std::size_t disks = 0;
    for (const auto& [number, disk] : ours().disks()) {
        SCOPED_TRACE(disk.name);
        const auto& device = said().devices.at(number);
        EXPECT_EQ(disk.size, device.size);
        if (device.type != "disk") continue;
        ++disks;
        EXPECT_EQ(disk.hctl, device.hctl);
        // lsblk has no word for virtio; for iSCSI and the rest it uses ours.
        EXPECT_EQ(disk.transport == "virtio" ? "" : disk.transport, device.transport == "virtio" ? "" : device.transport);
        if (disk.transport == "virtio") {
            EXPECT_EQ(disk.serial, property(number, "ID_SERIAL"));
            EXPECT_EQ("virtio-pci-" + disk.pci, "virtio-" + property(number, "ID_PATH"));
            continue; // lsblk shows the PCI vendor's number for its vendor
        }
        EXPECT_EQ(disk.vendor, trimmed(device.vendor));
        EXPECT_EQ(disk.model, trimmed(device.model));
        // lsblk's is the unit serial number (page 0x80), or what udev makes of page 0x83.
        EXPECT_EQ(disk.serial, property(number, "ID_SCSI_SERIAL").empty() ? device.serial : property(number, "ID_SCSI_SERIAL"));
        ASSERT_TRUE(disk.wwid.starts_with("naa.")) << disk.wwid;
        EXPECT_EQ("0x" + disk.wwid.substr(4), device.wwn);
        // "ip-127.0.0.1:3260-iscsi-iqn...-lun-0"
        if (disk.transport == "iscsi") {
            EXPECT_EQ(property(number, "ID_PATH"),
                      "ip-" + disk.portal + "-iscsi-" + disk.target_iqn + "-lun-" + std::to_string(disk.lun));
            EXPECT_EQ(disk.placement, Placement::lun);
        }
    }
    EXPECT_GE(disks, 8U);
}

TEST_P(Recorded, EveryMountIsWhereFindmntSays) {
    ASSERT_GE(said().mounts.size(), 10U);
    std::size_t found = 0;
    for (const auto& row : said().mounts) {
        SCOPED_TRACE(row.target);
        // What is written through an overlay is written to the volume of its upper folder: it belongs to that.
        if (is_overlay_of_a_volume(row)) {
            ++found;
            continue;
        }
        const auto* volume = volume_of(row.superblock);
        ASSERT_NE(volume, nullptr);
        EXPECT_EQ(volume->file_system, row.type);
        const auto mount = std::find_if(volume->mounts.begin(), volume->mounts.end(),
                                        [&](const MountPoint& point) { return point.mount_id == row.id && !point.process; });
        ASSERT_NE(mount, volume->mounts.end());
        EXPECT_EQ(mount->path, row.target);
        EXPECT_EQ(mount->root, row.root);
        EXPECT_EQ(mount->read_only, row.options.starts_with("ro"));
        if (!row.uuid.empty()) {
            EXPECT_EQ(volume->uuid, row.uuid);
        }
        if (!row.label.empty()) {
            EXPECT_EQ(volume->label, row.label);
        }
        ++found;
    }
    std::size_t all = 0;
    for (const auto& volume : ours().volumes())
        for (const auto* points : {&volume.mounts, &volume.overlays})
            all += static_cast<std::size_t>(
                std::count_if(points->begin(), points->end(), [](const MountPoint& point) { return !point.process; }));
    EXPECT_EQ(all, found);
}

TEST_P(Recorded, AMountOfADeviceThatIsInAnotherNamespaceOnlyIsNamedWithItsProcess) {
    for (const auto& [pid, rows] : said().other_mounts)
        for (const auto& row : rows) {
            // Ours already, or nothing that a set could contain.
            const auto in_ours = std::any_of(said().mounts.begin(), said().mounts.end(),
                                             [&](const SaidMount& mount) { return mount.superblock == row.superblock; });
            if (in_ours || !said().devices.contains(row.superblock)) continue;
            SCOPED_TRACE(row.target);
            const auto* volume = volume_of(row.superblock);
            ASSERT_NE(volume, nullptr);
            EXPECT_EQ(volume->file_system, row.type);
            EXPECT_TRUE(std::any_of(volume->mounts.begin(), volume->mounts.end(), [&](const MountPoint& point) {
                return point.path == row.target && point.process && said().other_mounts.contains(point.process->pid);
            }));
        }
}

TEST_P(Recorded, EveryFileSystemHasTheNamesThatLsblkSays) {
    std::size_t compared = 0;
    for (const auto& volume : ours().volumes()) {
        if (volume.devices.empty()) continue;
        SCOPED_TRACE(volume.name);
        const auto& device = said().devices.at(volume.devices.front());
        EXPECT_EQ(volume.file_system, device.file_system);
        EXPECT_EQ(volume.uuid, device.uuid);
        EXPECT_EQ(volume.label, device.label);
        EXPECT_EQ(volume.device_path, device.path);
        Bytes size;
        for (const auto part : volume.devices) size = size + said().devices.at(part).size;
        EXPECT_EQ(volume.size, size);
        ++compared;
    }
    EXPECT_GE(compared, 5U);
}

TEST_P(Recorded, WhatIsNotMountedIsAVolumeUnlessItIsAPartOfAnother) {
    std::set<DeviceNumber> used;
    for (const auto& volume : ours().volumes()) used.insert(volume.devices.begin(), volume.devices.end());
    for (const auto& [number, device] : said().devices) {
        SCOPED_TRACE(device.path);
        const auto& type = device.file_system;
        // mkfs.vfat on a whole disk leaves a table with one partition, which nobody uses: a mount counts for more.
        const bool mounted = !device.mountpoints.empty() && !device.mountpoints.contains("[SWAP]");
        const bool part = type == "swap" || type.ends_with("_member") || (!device.children.empty() && !mounted);
        const auto* node = ours().graph().find(number);
        const bool loop_on_it = std::any_of(said().devices.begin(), said().devices.end(), [&](const auto& other) {
            const auto behind = behind_loop(other.first);
            return std::find(behind.begin(), behind.end(), number) != behind.end();
        });
        const bool empty_drive = device.size.count == 0 ||
                                 (device.type == "loop" && !node->backing && node->lower.empty());
        const bool excluded = empty_drive || loop_on_it || node->lvm_internal();
        EXPECT_EQ(used.contains(number), !part && !excluded);
    }
}

TEST_P(Recorded, TheSwapAreasAreThoseThatLsblkShows) {
    std::set<DeviceNumber> expected;
    for (const auto& [number, device] : said().devices)
        if (device.mountpoints.contains("[SWAP]")) expected.insert(number);
    std::set<DeviceNumber> found;
    constexpr std::uint64_t heading = 4096; // the page with the signature
    for (const auto& swap : ours().swaps()) {
        SCOPED_TRACE(swap.path);
        if (!swap.is_file) {
            found.insert(swap.place);
            EXPECT_EQ(swap.size.count + heading, said().devices.at(swap.place).size.count);
            continue;
        }
        const auto* volume = volume_of(swap.place);
        ASSERT_NE(volume, nullptr);
        EXPECT_THAT(volume->swap_files, testing::ElementsAre(swap.path));
    }
    EXPECT_EQ(found, expected);
}

TEST_P(Recorded, NothingIsUnclearButWhatNobodyMayAsk) {
    auto unclear = said().loops_not_asked;
    // The number of a btrfs subvolume is in no table: the path of the file, which is not here, would tell.
    for (const auto& [name, status] : said().loops)
        if (!status.device && volume_of(status.file_system) == nullptr) unclear.insert(name);
    for (const auto& problem : ours().problems())
        EXPECT_TRUE(std::any_of(unclear.begin(), unclear.end(),
                                [&](const std::string& name) { return problem.find(name) != std::string::npos; }))
            << problem;
}

INSTANTIATE_TEST_SUITE_P(Of, Recorded, testing::ValuesIn(recordings()),
                         [](const auto& archive) { return name_of(archive.param); });

TEST(Recordings, ThereAreKernelsAndKindsOfDevicesEnough) {
    std::set<std::string> types;
    std::set<std::string> file_systems;
    for (const auto& archive : recordings()) {
        const Recording recording(archive);
        for (const auto& [number, device] : recording.devices) {
            types.insert(device.type);
            file_systems.insert(device.file_system);
        }
        for (const auto& mount : recording.mounts) file_systems.insert(mount.type);
    }
    EXPECT_THAT(types, IsSupersetOf({"disk", "part", "lvm", "crypt", "mpath", "raid1", "loop"}));
    EXPECT_THAT(file_systems, IsSupersetOf({"ext4", "xfs", "btrfs", "vfat", "swap", "overlay", "nfs4", "crypto_LUKS", "LVM2_member",
                                            "linux_raid_member", "mpath_member"}));
}

} // namespace
} // namespace quiesced
