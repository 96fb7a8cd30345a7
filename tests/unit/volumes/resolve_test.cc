// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fixture.h"
#include "volumes/inventory.h"
#include "volumes/local_path.h"

namespace quiesced {
namespace {

using ::testing::HasSubstr;

/// A root file system, a volume group on a partition, an iSCSI LUN, a network mount and tmpfs. The mount points are
/// only in the table, except those below the fixture's own folder.
class Resolve : public ::testing::Test {
protected:
    void SetUp() override {
        fixture.virtio("254:0", "vda");
        fixture.partition("254:1", "254:0", "vda1");
        fixture.partition("254:2", "254:0", "vda2");
        fixture.udev("254:2", {"ID_FS_TYPE=LVM2_member"});
        fixture.udev("254:1", {"ID_FS_TYPE=ext4", "ID_FS_UUID=root-uuid", "ID_FS_LABEL=root"});
        const std::string uuid = "LVM-" + std::string(63, 'x');
        fixture.dm("253:0", "vg-data", uuid + "1", {"254:2"});
        fixture.dm("253:1", "vg-snap", uuid + "2", {"254:2"});
        fixture.udev("253:0", {"ID_FS_TYPE=xfs", "ID_FS_UUID=data-uuid", "ID_FS_LABEL=twin"});
        fixture.udev("253:1", {"ID_FS_TYPE=xfs", "ID_FS_UUID=data-uuid", "ID_FS_LABEL=twin"});
        fixture.dm("253:2", "vg-swap", uuid + "3", {"254:2"});
        fixture.udev("253:2", {"ID_FS_TYPE=swap"});
        fixture.mount("254:1", "/", "ext4", "/dev/vda1");
        fixture.mount("253:0", "/data", "xfs", "/dev/mapper/vg-data");
        fixture.mount("0:30", "/scratch", "tmpfs", "tmpfs");
        fixture.mount("0:31", fixture.path("net"), "nfs4", "server:/export");
        fixture.mount("0:32", "/merged", "overlay", "overlay");
        std::filesystem::create_directories(fixture.path("net/inside"));
        inventory = fixture.inventory();
    }

    ErrorKind kind_of(const std::string& name) { return inventory.resolve(name).error().kind; }
    std::string message_of(const std::string& name) { return inventory.resolve(name).error().message(); }

    Fixture fixture;
    Inventory inventory;
};

TEST_F(Resolve, AMountPointIsComparedAsText) {
    EXPECT_EQ(inventory.resolve("/data").value()->device_path, "/dev/mapper/vg-data");
    EXPECT_EQ(inventory.resolve("//data/./").value()->name, "/data");
    EXPECT_EQ(inventory.resolve("/").value()->device_path, "/dev/vda1");
}

TEST_F(Resolve, ADevicePathNamesItsVolume) {
    EXPECT_EQ(inventory.resolve("/dev/mapper/vg-data").value()->name, "/data");
    EXPECT_EQ(inventory.resolve("/dev/dm-0").value()->name, "/data");
    EXPECT_EQ(inventory.resolve("/dev/vda1").value()->name, "/");
    EXPECT_EQ(inventory.resolve("/dev/mapper/vg-snap").value()->mounts.size(), 0U);
}

TEST_F(Resolve, AnyLinkToADeviceNodeNamesItsVolume) {
    if (::mknod(fixture.path("node").c_str(), S_IFBLK | 0600, makedev(253, 0)) != 0)
        GTEST_SKIP() << "making a device node needs root";
    std::filesystem::create_symlink("node", fixture.path("link"));
    std::filesystem::create_symlink(fixture.path("link"), fixture.path("link2"));
    EXPECT_EQ(inventory.resolve(fixture.path("link2")).value()->name, "/data");
}

TEST_F(Resolve, ANodeWithoutADeviceIsNoVolume) {
    if (::mknod(fixture.path("node").c_str(), S_IFBLK | 0600, makedev(250, 9)) != 0)
        GTEST_SKIP() << "making a device node needs root";
    EXPECT_EQ(kind_of(fixture.path("node")), ErrorKind::no_such_volume);
}

TEST_F(Resolve, AnyLinkToAMountPointNamesItsVolume) {
    std::filesystem::create_symlink(fixture.path("real"), fixture.path("link"));
    std::filesystem::create_directories(fixture.path("real"));
    fixture.mount("253:1", fixture.path("real"), "xfs", "/dev/mapper/vg-snap");
    EXPECT_EQ(fixture.inventory().resolve(fixture.path("link")).value()->device_path, "/dev/mapper/vg-snap");
}

TEST_F(Resolve, UuidAndLabelNameAVolume) {
    EXPECT_EQ(inventory.resolve("UUID=root-uuid").value()->name, "/");
    EXPECT_EQ(inventory.resolve("LABEL=root").value()->name, "/");
    EXPECT_EQ(kind_of("UUID="), ErrorKind::no_such_volume);
    EXPECT_EQ(kind_of("UUID=other"), ErrorKind::no_such_volume);
}

TEST_F(Resolve, OfAnOriginAndItsSnapshotTheMountedOneIsMeant) {
    EXPECT_EQ(inventory.resolve("UUID=data-uuid").value()->name, "/data");
}

TEST_F(Resolve, SeveralMountedVolumesOfOneLabelAreAnError) {
    fixture.mount("253:1", "/snap", "xfs", "/dev/mapper/vg-snap");
    const auto result = fixture.inventory().resolve("LABEL=twin");
    EXPECT_EQ(result.error().kind, ErrorKind::invalid_argument);
    EXPECT_THAT(result.error().message(), HasSubstr("/data, /snap"));
}

TEST_F(Resolve, AFolderThatIsNoMountPointSaysOnWhichVolumeItLies) {
    std::filesystem::create_directories(fixture.path("plain"));
    EXPECT_EQ(kind_of(fixture.path("plain")), ErrorKind::not_mounted);
    EXPECT_THAT(message_of(fixture.path("plain")), HasSubstr("it lies on the volume /."));
}

TEST_F(Resolve, AFolderWhoseNameOnlyStartsLikeAMountPointIsNotOnIt) {
    std::filesystem::create_directories(fixture.path("network"));
    EXPECT_EQ(kind_of(fixture.path("network")), ErrorKind::not_mounted);
}

TEST_F(Resolve, WhatDoesNotExistIsNoSuchVolume) {
    EXPECT_EQ(kind_of(fixture.path("nothing")), ErrorKind::no_such_volume);
    EXPECT_THAT(message_of(fixture.path("nothing")), HasSubstr("quiescectl volumes"));
    EXPECT_EQ(kind_of("/dev/vdz"), ErrorKind::no_such_volume);
}

TEST_F(Resolve, OtherTextsAreNoNames) {
    for (const auto& name : {std::string(), std::string("data"), std::string("vg/data"), std::string("/da\0ta", 6)})
        EXPECT_EQ(kind_of(name), ErrorKind::invalid_argument);
}

TEST_F(Resolve, FileSystemsWithoutADiskAreUnsupported) {
    EXPECT_EQ(kind_of("/scratch"), ErrorKind::unsupported);
    EXPECT_THAT(message_of("/scratch"), HasSubstr("tmpfs"));
    EXPECT_THAT(message_of("/merged"), HasSubstr("upper folder"));
}

TEST_F(Resolve, ANetworkMountIsUnsupportedAndNothingBelowItIsTouched) {
    EXPECT_EQ(kind_of(fixture.path("net")), ErrorKind::unsupported);
    // In truth this is a plain local folder. Whoever looked at it would call it "no mount point".
    EXPECT_EQ(kind_of(fixture.path("net/inside")), ErrorKind::unsupported);
    EXPECT_EQ(kind_of(fixture.path("net/no/such/thing")), ErrorKind::unsupported);
    std::filesystem::create_symlink(fixture.path("net/inside"), fixture.path("link"));
    EXPECT_EQ(kind_of(fixture.path("link/x")), ErrorKind::unsupported);
}

TEST_F(Resolve, ADeviceInUseBelowOthersIsUnsupportedAndSaysByWhat) {
    EXPECT_EQ(kind_of("/dev/vda"), ErrorKind::unsupported);
    EXPECT_THAT(message_of("/dev/vda"), HasSubstr("divided into /dev/vda1, /dev/vda2"));
    EXPECT_THAT(message_of("/dev/vda2"), HasSubstr("carries /dev/mapper/vg-data"));
    EXPECT_EQ(kind_of("/dev/mapper/vg-swap"), ErrorKind::unsupported);
}

TEST_F(Resolve, LinksThatLeadInACircleAreNoVolume) {
    std::filesystem::create_symlink(fixture.path("b"), fixture.path("a"));
    std::filesystem::create_symlink(fixture.path("a"), fixture.path("b"));
    EXPECT_EQ(inventory.resolve(fixture.path("a")).error().error_number, ELOOP);
}

TEST(LocalPath, CleaningKeepsWhatALinkCouldChange) {
    EXPECT_EQ(clean_path("//a/./b//"), "/a/b");
    EXPECT_EQ(clean_path("/a/../b"), "/a/../b");
    EXPECT_EQ(clean_path("/"), "/");
}

TEST(LocalPath, ParentFoldersAreThoseOfTheLinksTarget) {
    const Fixture fixture;
    std::filesystem::create_directories(fixture.path("one/two"));
    std::filesystem::create_symlink("one/two", fixture.path("link"));
    const auto reached = walk_path(fixture.path("link/.."), [](const std::string&) { return false; }).value();
    EXPECT_EQ(reached.path, std::filesystem::canonical(fixture.path("one")).string());
    EXPECT_FALSE(reached.stopped);
}

} // namespace
} // namespace quiesced
