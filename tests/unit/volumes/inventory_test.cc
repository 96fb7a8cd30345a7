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
        EXPECT_THAT(volume.evidence, ElementsAre("vda: transport=virtio, serial=disk-1, pci=0000:00:04.0"));
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
}

TEST(Inventory, AnOverlayIsAMountPointOfTheVolumeOfItsUpperFolder) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.virtio("254:16", "vdb");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("254:16", "/var/containers", "xfs", "/dev/vdb");
    fixture.mount("0:50", "/merged", "overlay", "overlay", "/", 1, "rw,lowerdir=/l,upperdir=/var/containers/a\\054b/u,workdir=/w");
    fixture.mount("0:51", "/nested", "overlay", "overlay", "/", 1, "rw,lowerdir=/l,upperdir=/merged/u,workdir=/merged/w");
    fixture.mount("0:52", "/lower-only", "overlay", "overlay", "/", 1, "ro,lowerdir=/l:/m");
    fixture.mount("0:53", "/relative", "overlay", "overlay", "/", 1, "rw,lowerdir=/l,upperdir=diff,workdir=work");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/", "/var/containers", "/lower-only", "/relative"));
    const auto& upper = volume_named(inventory, "/var/containers");
    ASSERT_THAT(upper.overlays, SizeIs(2));
    EXPECT_EQ(upper.overlays.at(0).path, "/merged");
    EXPECT_EQ(upper.overlays.at(1).path, "/nested");
    EXPECT_THAT(upper.mounts, SizeIs(1));
    EXPECT_EQ(inventory.resolve("/merged").value()->name, "/var/containers");
    EXPECT_EQ(inventory.resolve("/lower-only").error().kind, ErrorKind::unsupported);
    EXPECT_EQ(volume_named(inventory, "/lower-only").placement, Placement::none);
}

TEST(Inventory, OverlaysThatNameEachOtherAsUpperAreStillListed) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("0:50", "/a", "overlay", "overlay", "/", 1, "rw,upperdir=/b/u");
    fixture.mount("0:51", "/b", "overlay", "overlay", "/", 1, "rw,upperdir=/a/u");
    EXPECT_THAT(all_names(fixture.inventory()), ElementsAre("/", "/a", "/b"));
}

TEST(Inventory, SwapFilesAndSwapDevicesHaveTheirPlaces) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.dm("253:0", "vg-swap", lv_uuid('a'), {"254:0"});
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.swaps("/dev/dm-0                               partition\t8388604\t0\t-2\n"
                  "/a\\040swap\\040file                        file\t\t1048572\t0\t-3\n"
                  "garbage\n/half\n");
    const auto inventory = fixture.inventory();
    ASSERT_THAT(inventory.swaps(), SizeIs(2));
    EXPECT_FALSE(inventory.swaps().at(0).is_file);
    EXPECT_EQ(inventory.swaps().at(0).place, (DeviceNumber{253, 0}));
    EXPECT_EQ(inventory.swaps().at(1).path, "/a swap file");
    EXPECT_EQ(inventory.swaps().at(1).place, (DeviceNumber{254, 0}));
    EXPECT_EQ(inventory.swaps().at(1).size, (Bytes{1048572ULL * 1024}));
    EXPECT_THAT(volume_named(inventory, "/").swap_files, ElementsAre("/a swap file"));
    // udev knows nothing of the device here: that it is in use is enough.
    EXPECT_THAT(all_names(inventory), ElementsAre("/"));
}

TEST(Inventory, AJournalOfAnotherDeviceIsNoVolume) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.udev("254:0", {"ID_FS_TYPE=jbd"});
    fixture.virtio("254:16", "vdb");
    fixture.udev("254:16", {"ID_FS_TYPE=xfs_external_log"});
    EXPECT_THAT(fixture.inventory().volumes(), IsEmpty());
}

TEST(Inventory, AVolumeOverSeveralLoopFilesIsBackedByTheOneThatIsDeepest) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.loop(0, "/one.img", "254:0");
    fixture.loop(1, "/two.img", "254:0");
    fixture.loop(2, "/mnt/three.img", "7:1");
    fixture.dm("253:0", "vg-both", lv_uuid('a'), {"7:0", "7:2"});
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("7:1", "/mnt", "ext4", "/dev/loop1");
    fixture.mount("253:0", "/both", "ext4", "/dev/mapper/vg-both");
    const auto inventory = fixture.inventory();
    EXPECT_EQ(inventory.backing_of(volume_named(inventory, "/both"))->name, "/mnt");
}

TEST(Inventory, ManyLayersThatLieOnEachOtherTwiceAreReadAtOnce) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    // Two devices in each layer, each on both of the layer below: 2 to the power of 40 ways down.
    std::vector<std::string> below{"254:0"};
    for (int layer = 0; layer < 40; ++layer) {
        std::vector<std::string> made;
        for (int i = 0; i < 2; ++i) {
            const auto number = "253:" + std::to_string(layer * 2 + i);
            fixture.dm(number, "layer" + std::to_string(layer * 2 + i), "", below);
            made.push_back(number);
        }
        below = made;
    }
    const auto inventory = fixture.inventory();
    EXPECT_THAT(inventory.graph().leaves({253, 79}).value(), ElementsAre(DeviceNumber{254, 0}));
}

TEST(Inventory, AMountBehindANetworkMountIsTheLastChoice) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.virtio("254:16", "vdb");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    const int net = fixture.mount("0:60", "/n", "nfs4", "server:/");
    fixture.mount("254:16", "/n/d", "xfs", "/dev/vdb", "/", net);
    fixture.mount("254:16", "/srv/data", "xfs", "/dev/vdb");
    const auto inventory = fixture.inventory();
    const auto& volume = volume_named(inventory, "/srv/data");
    EXPECT_FALSE(volume.mounts.at(0).behind_remote);
    EXPECT_TRUE(volume.mounts.at(1).behind_remote);
    EXPECT_EQ(volume.mounts.at(1).path, "/n/d");
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

TEST(Inventory, AStackThatIsTooDeepIsAnErrorOfThatVolume) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    std::string below = "254:0";
    for (int layer = 0; layer < 70; ++layer) {
        const auto number = "253:" + std::to_string(layer);
        fixture.dm(number, "layer" + std::to_string(layer), "", {below});
        below = number;
    }
    fixture.mount("253:63", "/deep", "ext4", "/dev/mapper/layer63");
    fixture.mount(below, "/too-deep", "ext4", "/dev/mapper/layer69");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/", "/deep", "/too-deep"));
    EXPECT_THAT(volume_named(inventory, "/deep").leaves, ElementsAre(DeviceNumber{254, 0}));
    EXPECT_THAT(volume_named(inventory, "/too-deep").leaves, IsEmpty());
    EXPECT_THAT(inventory.problems(), ElementsAre(HasSubstr("/too-deep")));
}

TEST(Inventory, ADiskThatVanishesWhileItIsReadCostsItsVolumeOnly) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.virtio("254:16", "vdb");
    fixture.dm("253:0", "vg-lv", lv_uuid('a'), {"254:16"});
    fixture.loop(0, "/file", "254:0");
    fixture.mount("254:0", "/", "ext4", "/dev/vda");
    fixture.mount("253:0", "/data", "ext4", "/dev/mapper/vg-lv");
    // Asked for a loop device, when half of sysfs has been read: that of the disks has not.
    const auto probe = [&](const std::string&, const std::string&) -> Result<LoopStatus> {
        std::filesystem::remove(fixture.path("sys/dev/block/254:16"));
        return LoopStatus{.file_system = {254, 0}, .device = std::nullopt};
    };
    const auto inventory = Inventory::read(fixture.paths(), probe).value();
    EXPECT_THAT(all_names(inventory), UnorderedElementsAre("/", "/data", "/dev/loop0"));
    EXPECT_EQ(volume_named(inventory, "/").placement, Placement::virtual_disk);
}

TEST(Inventory, NamesOfAnyBytesAreKept) {
    Fixture fixture;
    fixture.virtio("254:0", "vda", "serial\n\xff\x01");
    fixture.udev("254:0", {"ID_FS_TYPE=ext4", "ID_FS_LABEL_ENC=a\\x20b\\x0ac\\xff\\x5cx"});
    fixture.dm("253:0", "vg-a\nb \xfe", lv_uuid('a'), {"254:0"});
    fixture.mount("253:0", "/a\\134b\\011c\\040d\\012e\xfe", "ext4", "/dev/mapper/x");
    const auto inventory = fixture.inventory();
    ASSERT_THAT(inventory.volumes(), SizeIs(1));
    EXPECT_EQ(inventory.volumes().front().name, "/a\\b\tc d\ne\xfe");
    EXPECT_EQ(inventory.volumes().front().device_path, "/dev/mapper/vg-a\nb \xfe");
    EXPECT_EQ(inventory.resolve("/a\\b\tc d\ne\xfe").value(), &inventory.volumes().front());
    EXPECT_EQ(inventory.resolve("/dev/mapper/vg-a\nb \xfe").value(), &inventory.volumes().front());
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
