// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/mount_namespaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace quiesced {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// The root volume, and a disk that only a container has mounted.
class MountNamespaces : public ::testing::Test {
protected:
    void SetUp() override {
        fixture.virtio("254:0", "vda");
        fixture.virtio("254:16", "vdb");
        fixture.udev("254:16", {"ID_FS_TYPE=xfs", "ID_FS_UUID=inner-uuid"});
        fixture.mount("254:0", "/", "ext4", "/dev/vda");
        fixture.process(1, 1, "systemd", "1 0 254:0 / / rw - ext4 /dev/vda rw\n");
    }
    static constexpr const char* kContainer = "900 899 0:77 / / rw - overlay overlay rw\n"
                                              "901 900 254:0 /hosts /etc/hosts rw - ext4 /dev/vda rw\n"
                                              "902 900 0:78 / /proc rw - proc proc rw\n"
                                              "903 900 254:16 / /data ro,relatime - xfs /dev/vdb rw\n";

    [[nodiscard]] std::vector<std::string> visited() const {
        std::vector<std::string> commands;
        std::vector<std::string> problems;
        scan_mount_namespaces(
            fixture.path("proc"), [&](const MountProcess& process, std::string_view) { commands.push_back(process.command); }, problems);
        EXPECT_THAT(problems, IsEmpty());
        return commands;
    }

    Fixture fixture;
};

TEST_F(MountNamespaces, WhatIsMountedElsewhereOnlyIsAVolumeWithItsProcess) {
    fixture.process(1300, 7, "nginx", kContainer);
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/", "/dev/vdb"));
    EXPECT_THAT(volume_named(inventory, "/").mounts, SizeIs(1));
    const auto& volume = volume_named(inventory, "/dev/vdb");
    EXPECT_EQ(volume.uuid, "inner-uuid");
    EXPECT_EQ(volume.file_system, "xfs");
    EXPECT_EQ(volume.placement, Placement::virtual_disk);
    ASSERT_THAT(volume.mounts, SizeIs(1));
    const auto& mount = volume.mounts.front();
    EXPECT_EQ(mount.path, "/data");
    EXPECT_EQ(mount.mount_id, 903U);
    EXPECT_TRUE(mount.read_only);
    ASSERT_TRUE(mount.process);
    EXPECT_EQ(mount.process->pid, 1300);
    EXPECT_EQ(mount.process->command, "nginx");
    EXPECT_EQ(mount.open_path(), "/proc/1300/root/data");
}

TEST_F(MountNamespaces, ItIsNamedByItsDeviceOrByThePathThroughTheProcess) {
    fixture.process(1300, 7, "nginx", kContainer);
    const auto inventory = fixture.inventory();
    EXPECT_EQ(inventory.resolve("/dev/vdb").value()->name, "/dev/vdb");
    EXPECT_EQ(inventory.resolve("UUID=inner-uuid").value()->name, "/dev/vdb");
    EXPECT_EQ(inventory.resolve("/proc/1300/root/data").value()->name, "/dev/vdb");
}

TEST_F(MountNamespaces, ItsPathAloneSaysInWhoseNamespaceItIs) {
    fixture.process(1300, 7, "nginx", "900 899 254:16 / /nowhere/in/ours rw - xfs /dev/vdb rw\n");
    const auto error = fixture.inventory().resolve("/nowhere/in/ours").error();
    EXPECT_EQ(error.kind, ErrorKind::not_mounted);
    EXPECT_THAT(error.message(), HasSubstr("of process 1300 (nginx) only"));
    EXPECT_THAT(error.message(), HasSubstr("/dev/vdb"));
}

TEST_F(MountNamespaces, APathThroughAProcessIsNeverTakenForOneOfOurs) {
    // Its links lead to "/", as the text goes: the root volume is not what is meant.
    for (const auto* name : {"/proc/1300/root", "/proc/1300/root/data", "/proc/self/cwd"})
        EXPECT_EQ(fixture.inventory().resolve(name).error().kind, ErrorKind::no_such_volume) << name;
}

TEST_F(MountNamespaces, EachIsLookedAtOnceThroughItsFirstProcess) {
    fixture.process(1300, 7, "first", kContainer);
    fixture.process(20, 7, "earlier", kContainer);
    fixture.process(1302, 8, "nested", kContainer);
    EXPECT_THAT(visited(), ElementsAre("earlier", "nested"));
    EXPECT_THAT(volume_named(fixture.inventory(), "/dev/vdb").mounts, SizeIs(2));
}

TEST_F(MountNamespaces, AProcessThatEndsMeanwhileLeavesItsNamespaceToTheNext) {
    fixture.process(1300, 7, "ending", "");
    fixture.process(1301, 7, "living", kContainer);
    std::filesystem::create_directories(fixture.path("proc/1299")); // a zombie has no namespace
    EXPECT_THAT(visited(), ElementsAre("living"));
}

TEST_F(MountNamespaces, WhatIsCoveredHereIsReachedThere) {
    const int lower = fixture.mount("254:16", "/data", "xfs", "/dev/vdb");
    fixture.mount("0:40", "/data", "tmpfs", "tmpfs", "/", lower);
    fixture.process(1300, 7, "nginx", kContainer);
    const auto inventory = fixture.inventory();
    const auto& volume = volume_named(inventory, "/dev/vdb");
    ASSERT_THAT(volume.mounts, SizeIs(2));
    EXPECT_EQ(volume.mounts.front().open_path(), "/proc/1300/root/data");
    EXPECT_TRUE(volume.mounts.back().hidden);
}

TEST_F(MountNamespaces, WhatIsCoveredThereIsHidden) {
    fixture.process(1300, 7, "nginx", std::string(kContainer) + "904 903 0:90 / /data rw - tmpfs tmpfs rw\n");
    EXPECT_TRUE(volume_named(fixture.inventory(), "/dev/vdb").mounts.front().hidden);
}

TEST_F(MountNamespaces, NetworkAndPseudoFileSystemsOfOthersAreNoVolumes) {
    fixture.process(1300, 7, "nginx", "900 899 0:77 / / rw - tmpfs none rw\n901 900 0:79 / /net rw - nfs4 server:/x rw\n");
    EXPECT_THAT(all_names(fixture.inventory()), ElementsAre("/", "/dev/vdb"));
    EXPECT_THAT(volume_named(fixture.inventory(), "/dev/vdb").mounts, IsEmpty());
}

TEST_F(MountNamespaces, AMountBehindANetworkMountThereIsMarked) {
    fixture.process(1300, 7, "nginx",
                    "900 899 0:77 / / rw - overlay overlay rw\n901 900 0:79 / /net rw - nfs4 server:/x rw\n"
                    "902 901 254:16 / /net/data rw - xfs /dev/vdb rw\n");
    EXPECT_TRUE(volume_named(fixture.inventory(), "/dev/vdb").mounts.front().behind_remote);
}

TEST_F(MountNamespaces, GarbageInATableOfAnotherCostsItsLinesOnly) {
    fixture.process(1300, 7, "bad", "what\n1 2\n\n - \n7 8 x:y / / rw - xfs x rw\n1 1 254:16\n" + std::string(kContainer));
    EXPECT_THAT(volume_named(fixture.inventory(), "/dev/vdb").mounts, SizeIs(1));
}

TEST_F(MountNamespaces, ABtrfsOfAnotherNamespaceIsFoundByItsSource) {
    fixture.process(1300, 7, "db", "900 899 0:77 / / rw - overlay overlay rw\n901 900 0:45 /@ /data rw - btrfs /dev/vdb rw\n");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(all_names(inventory), ElementsAre("/", "/dev/vdb"));
    EXPECT_EQ(volume_named(inventory, "/dev/vdb").superblock, (DeviceNumber{0, 45}));
}

TEST_F(MountNamespaces, AFileSystemInALoopFileThatIsMountedElsewhereIsCarriedAlong) {
    fixture.loop(0, "/image", "254:0");
    fixture.process(1300, 7, "nginx", "900 899 7:0 / / rw - ext4 /dev/loop0 rw\n");
    const auto inventory = fixture.inventory();
    EXPECT_THAT(names_of(inventory.stacked_on(volume_named(inventory, "/")).value()), ElementsAre("/dev/loop0"));
}

} // namespace
} // namespace quiesced
