// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace quiesced {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

const std::string kGroup = "LVM-" + std::string(32, 'g');

std::string lv_uuid(char letter, const std::string& suffix = {}) { return kGroup + std::string(32, letter) + suffix; }

TEST(Inventory, AFileSystemThatIsMountedThriceIsOneVolume) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.virtio("254:16", "vdb");
    fixture.udev("254:16", {"ID_FS_TYPE=xfs", "ID_FS_UUID=11-22", "ID_FS_LABEL=data"});
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("254:16", "/srv/data/long", "xfs", "/dev/vdb");
    fixture.mount("254:16", "/d", "xfs", "/dev/vdb", "/sub");
    fixture.mount("254:16", "/srv/data", "xfs", "/dev/vdb");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/", "/srv/data"));
    const auto& volume = volume_named(inventory, "/srv/data");
    EXPECT_THAT(volume.mounts, SizeIs(3));
    EXPECT_EQ(volume.mounts.front().path, "/srv/data");
    EXPECT_EQ(volume.mounts.front().mount_id, 4U);
    EXPECT_EQ(volume.uuid, "11-22");
    EXPECT_EQ(volume.label, "data");
    EXPECT_EQ(volume.size, (Bytes{1U << 30U}));
    EXPECT_EQ(volume.device_path, "/dev/vdb");
}

TEST(Inventory, ABindMountedFileIsTheVolumeThatItLiesOn) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("254:0", "/etc/hosts", "ext4", "/dev/vda", "/containers/hosts");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/"));
    EXPECT_EQ(inventory.resolve("/etc/hosts").value()->name, "/");
}

TEST(Inventory, BtrfsOnTwoDevicesIsOneVolumeWithBoth) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.virtio("254:16", "vdb");
    fixture.virtio("254:32", "vdc");
    fixture.write("sys/fs/btrfs/features/raid1", "0");
    for (const auto* name : {"vdb", "vdc"}) {
        std::filesystem::create_directories(fixture.path("sys/fs/btrfs/aa-bb/devices"));
        std::filesystem::create_directory_symlink(fixture.path("sys/devices/pci0000:00/0000:00:04.0/virtio1/block/") +
                                                      name,
                                                  fixture.path("sys/fs/btrfs/aa-bb/devices/") + name);
    }
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("0:41", "/pool", "btrfs", "/dev/vdc", "/@");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/", "/pool"));
    const auto& volume = volume_named(inventory, "/pool");
    EXPECT_EQ(volume.uuid, "aa-bb");
    EXPECT_EQ(volume.superblock, (DeviceNumber{0, 41}));
    EXPECT_THAT(volume.devices, UnorderedElementsAre(DeviceNumber{254, 16}, DeviceNumber{254, 32}));
    EXPECT_EQ(volume.size, (Bytes{2ULL << 30U}));
    EXPECT_EQ(volume.placement, Placement::virtual_disk);
}

TEST(Inventory, AnXfsLogDeviceBelongsToItsVolume) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.virtio("254:16", "vdb");
    fixture.mount("254:0", "/", "xfs", "/dev/vda", "/", 0, "rw,logbufs=8,logdev=/dev/vdb,noquota");
    const auto inventory = fixture.inventory();
    ASSERT_THAT(inventory.volumes(), SizeIs(1));
    EXPECT_THAT(inventory.volumes().front().devices, ElementsAre(DeviceNumber{254, 0}, DeviceNumber{254, 16}));
}

TEST(Inventory, ThickAndThinLogicalVolumesAreVolumesAndTheirLayersAreNot) {
    Fixture fixture;
    fixture.virtio("254:0", "vda", "disk-1");
    fixture.udev("254:0", {"ID_FS_TYPE=LVM2_member"});
    fixture.dm("253:0", "vg-thick-real", lv_uuid('a', "-real"), {"254:0"});
    fixture.dm("253:1", "vg-thick", lv_uuid('a'), {"253:0"});
    fixture.dm("253:2", "vg-snap-cow", lv_uuid('b', "-cow"), {"254:0"});
    fixture.dm("253:3", "vg-snap", lv_uuid('b'), {"253:0", "253:2"});
    fixture.dm("253:4", "vg-pool_tmeta", lv_uuid('c', "-tmeta"), {"254:0"});
    fixture.dm("253:5", "vg-pool_tdata", lv_uuid('d', "-tdata"), {"254:0"});
    fixture.dm("253:6", "vg-pool-tpool", lv_uuid('e', "-tpool"), {"253:4", "253:5"});
    fixture.dm("253:7", "vg-pool", lv_uuid('e', "-pool"), {"253:6"});
    fixture.dm("253:8", "vg-thin", lv_uuid('f'), {"253:6"});
    fixture.dm("253:9", "vg-raw", lv_uuid('h'), {"254:0"});
    fixture.dm("253:10", "vg-swap", lv_uuid('i'), {"254:0"});
    fixture.udev("253:10", {"ID_FS_TYPE=swap"});
    fixture.mount("253:1", "/thick", "ext4", "/dev/mapper/vg-thick");
    fixture.mount("253:8", "/thin", "xfs", "/dev/mapper/vg-thin");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/thick", "/thin", "/dev/mapper/vg-snap", "/dev/mapper/vg-raw"));
    for (const auto& volume : inventory.volumes()) {
        EXPECT_EQ(volume.placement, Placement::virtual_disk);
        EXPECT_THAT(volume.leaves, ElementsAre(DeviceNumber{254, 0}));
        EXPECT_THAT(volume.evidence, ElementsAre("vda: transport=virtio, serial=disk-1"));
    }
    EXPECT_EQ(volume_named(inventory, "/thin").device_path, "/dev/mapper/vg-thin");
}

TEST(Inventory, AnIscsiDiskMakesALunAndWithAVirtualOneItIsMixed) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.block("8:0", "platform/host2/session7/target2:0:0/2:0:0:1/block/sda");
    fixture.write("sys/class/iscsi_session/session7/targetname", "iqn.2026-01.org.example:array\n");
    fixture.dm("253:0", "vg-both", lv_uuid('a'), {"254:0", "8:0"});
    fixture.mount("8:0", "/lun", "xfs", "/dev/sda");
    fixture.mount("253:0", "/both", "xfs", "/dev/mapper/vg-both");
    const auto inventory = fixture.inventory();
    const auto& lun = volume_named(inventory, "/lun");
    EXPECT_EQ(lun.placement, Placement::lun);
    EXPECT_THAT(lun.evidence, ElementsAre(HasSubstr("target=iqn.2026-01.org.example:array")));
    EXPECT_EQ(inventory.disks().at({8, 0}).lun, 1);
    EXPECT_EQ(volume_named(inventory, "/both").placement, Placement::mixed);
}

TEST(Inventory, DevicesThatAreNeverVolumesAreLeftOut) {
    Fixture fixture;
    fixture.block("253:0", "virtual/block/zram0");
    fixture.block("1:0", "virtual/block/ram0");
    fixture.block("11:0", "pci0000:00/0000:00:01.1/ata1/block/sr0");
    fixture.block("7:0", "virtual/block/loop0");
    fixture.block("43:0", "virtual/block/nbd0", 0);
    fixture.virtio("254:0", "vda");
    fixture.partition("254:1", "254:0", "vda1");
    fixture.partition("254:2", "254:0", "vda2");
    fixture.udev("254:2", {"ID_FS_TYPE=swap"});
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/dev/vda1"));
    EXPECT_THAT(inventory.disks(), SizeIs(1));
}

TEST(Inventory, AFileSystemInALoopFileIsStackedOnItsBackingVolume) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.loop(0, "/data/one.img", "254:0");
    fixture.loop(1, "/mnt/one/two.img", "7:0");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("7:0", "/mnt/one", "ext4", "/dev/loop0");
    fixture.mount("7:1", "/mnt/two", "xfs", "/dev/loop1");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(names_of(inventory.stacked_on(volume_named(inventory, "/")).value()),
                ElementsAre("/mnt/one", "/mnt/two"));
    EXPECT_THAT(names_of(inventory.stacked_on(volume_named(inventory, "/mnt/one")).value()), ElementsAre("/mnt/two"));
    EXPECT_THAT(inventory.stacked_on(volume_named(inventory, "/mnt/two")).value(), IsEmpty());
    EXPECT_EQ(inventory.backing_of(volume_named(inventory, "/mnt/two"))->name, "/mnt/one");
    EXPECT_EQ(inventory.backing_of(volume_named(inventory, "/")), nullptr);
    EXPECT_EQ(volume_named(inventory, "/mnt/two").placement, Placement::virtual_disk);
    EXPECT_THAT(volume_named(inventory, "/mnt/two").evidence, ElementsAre(HasSubstr("on volume /mnt/one (virtual)")));
}

TEST(Inventory, ALoopMountedOverItsOwnFolderIsNoCycle) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.virtio("254:16", "vdb");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    const int lower = fixture.mount("254:16", "/data", "ext4", "/dev/vdb");
    // By its path the file would lie on the very file system that is in it.
    fixture.loop(0, "/data/disk.img", "254:16");
    fixture.mount("7:0", "/data", "ext4", "/dev/loop0", "/", lower);
    const auto inventory = fixture.inventory();
    const auto& upper = *inventory.resolve("/data").value();
    EXPECT_EQ(upper.superblock, (DeviceNumber{7, 0}));
    EXPECT_EQ(inventory.backing_of(upper)->superblock, (DeviceNumber{254, 16}));
    EXPECT_EQ(inventory.backing_of(upper)->name, "/dev/vdb");
    EXPECT_TRUE(inventory.backing_of(upper)->mounts.front().hidden);
    EXPECT_THAT(inventory.stacked_on(upper).value(), IsEmpty());
    EXPECT_THAT(inventory.problems(), IsEmpty());
}

TEST(Inventory, AVolumeInAFileOfItselfIsAnErrorOfThatVolume) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.loop(0, "/b/a.img", "7:1");
    fixture.loop(1, "/a/b.img", "7:0");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("7:0", "/a", "ext4", "/dev/loop0");
    fixture.mount("7:1", "/b", "ext4", "/dev/loop1");
    const auto inventory = fixture.inventory();
    EXPECT_EQ(inventory.stacked_on(volume_named(inventory, "/a")).error().kind, ErrorKind::loop_backing);
    EXPECT_EQ(inventory.stacked_on(volume_named(inventory, "/b")).error().kind, ErrorKind::loop_backing);
    EXPECT_THAT(inventory.stacked_on(volume_named(inventory, "/")).value(), IsEmpty());
    EXPECT_THAT(inventory.problems(), Contains(HasSubstr("a cycle")));
}

TEST(Inventory, ALoopFileInAnOverlayIsWrittenToItsUpperFolder) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("0:50", "/merged", "overlay", "overlay", "/", 1, "rw,lowerdir=/l,upperdir=/u,workdir=/w");
    fixture.loop(0, "/merged/disk.img", "0:50");
    fixture.mount("7:0", "/mnt", "ext4", "/dev/loop0");
    const auto inventory = fixture.inventory();
    EXPECT_EQ(inventory.backing_of(volume_named(inventory, "/mnt"))->name, "/");
    EXPECT_EQ(volume_named(inventory, "/merged").placement, Placement::none);
}

TEST(Inventory, ALoopDeviceThatCannotBeAskedIsPlacedByItsPathAndThatIsSaid) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.loop(0, "/disk.img", "");
    const auto inventory = fixture.inventory();
    EXPECT_EQ(inventory.backing_of(volume_named(inventory, "/dev/loop0"))->name, "/");
    EXPECT_THAT(inventory.problems(), Contains(HasSubstr("/dev/loop0")));
}

TEST(Inventory, ALoopFileOfAnUnknownFileSystemIsOnNoVolume) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.loop(0, "/disk.img", "0:99");
    const auto inventory = fixture.inventory();
    EXPECT_EQ(inventory.backing_of(volume_named(inventory, "/dev/loop0")), nullptr);
    EXPECT_EQ(volume_named(inventory, "/dev/loop0").placement, Placement::none);
    EXPECT_THAT(inventory.problems(), Contains(HasSubstr("not mounted here")));
}

TEST(Inventory, ALoopFileOnANetworkMountIsNeverAskedFor) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("0:60", "/net", "nfs4", "server:/export");
    fixture.loop(0, "/net/disk.img", "0:60");
    fixture.mount("7:0", "/mnt", "ext4", "/dev/loop0");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(fixture.asked, IsEmpty());
    EXPECT_EQ(volume_named(inventory, "/mnt").placement, Placement::network);
    EXPECT_EQ(volume_named(inventory, "/net").placement, Placement::network);
    EXPECT_THAT(volume_named(inventory, "/net").evidence, ElementsAre("file system type nfs4"));
}

TEST(Inventory, StrangeNamesAndBadLinesCostNothingElse) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.raw_mount_line("what is this");
    fixture.raw_mount_line("90 1 254:0 / /a\\040b\\012\xff rw - ext4 /dev/vda rw");
    const auto inventory = fixture.inventory();
    ASSERT_THAT(inventory.volumes(), SizeIs(1));
    EXPECT_THAT(inventory.volumes().front().mounts, SizeIs(2));
    EXPECT_EQ(inventory.resolve("/a b\n\xff").value()->name, "/");
    EXPECT_THAT(inventory.problems(), ElementsAre(HasSubstr("line 2 ")));
}

TEST(Inventory, ACycleOfBlockDevicesIsAnErrorOfThatVolume) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.dm("253:0", "a", "", {});
    fixture.dm("253:1", "b", "", {"253:0"});
    fixture.stack("253:0", "253:1");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("253:0", "/bad", "ext4", "/dev/mapper/a");
    const auto inventory = fixture.inventory();
    EXPECT_EQ(volume_named(inventory, "/").placement, Placement::virtual_disk);
    EXPECT_THAT(volume_named(inventory, "/bad").evidence, Contains(HasSubstr("lies on itself")));
    EXPECT_THAT(inventory.problems(), Contains(HasSubstr("/bad")));
}

TEST(Inventory, WithoutAMountTableThereIsNoInventory) {
    const Fixture fixture;
    auto paths = fixture.paths();
    paths.mountinfo = fixture.path("nothing");
    EXPECT_EQ(Inventory::read(paths).error().error_number, ENOENT);
}

TEST(Inventory, ThisMachineCanBeRead) {
    const auto inventory = Inventory::read();
    ASSERT_TRUE(inventory) << inventory.error().message();
    EXPECT_THAT(all_names(*inventory), Contains("/"));
    EXPECT_THAT(inventory->resolve("/proc").error().kind, ErrorKind::unsupported);
}

} // namespace
} // namespace quiesced
