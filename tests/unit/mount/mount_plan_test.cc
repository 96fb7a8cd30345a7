// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mount/mount_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PlannedMounts : public testing::Test {
protected:
    PlannedMounts() {
        set_.id = "6560000000000001";
        set_.state = "complete";
    }
    MemberView& add(const std::string& path, const std::string& file_system, const std::string& consistency = "filesystem") {
        auto& member = set_.members.emplace_back();
        member.volume = path;
        member.file_system = file_system;
        member.consistency = consistency;
        member.provider = "lvm";
        member.snapshot = "vg/snapshot";
        member.device = "/dev/vg/snapshot-of" + path;
        member.mounts = {{.path = path, .root = "/"}};
        return member;
    }
    MountPlan plan() {
        const auto planned = plan_mounts(set_);
        EXPECT_TRUE(planned) << planned.error().message();
        return planned ? *planned : MountPlan{};
    }
    SnapshotMount only() {
        const auto planned = plan();
        EXPECT_EQ(planned.mounts.size(), 1U);
        return planned.mounts.empty() ? SnapshotMount{} : planned.mounts.front();
    }
    std::vector<std::string> paths() {
        std::vector<std::string> list;
        for (const auto& mount : plan().mounts) list.push_back(mount.path);
        return list;
    }
    ManifestView set_;
};

TEST_F(PlannedMounts, AFrozenFileSystemIsMountedWithoutReplayAndWithoutALayer) {
    add("/srv", "ext4");
    EXPECT_EQ(only().options, "noload");
    EXPECT_FALSE(only().layer);
    set_.members[0].file_system = "xfs";
    set_.members[0].consistency = "application";
    EXPECT_EQ(only().options, "nouuid,norecovery");
    EXPECT_FALSE(only().layer);
}

TEST_F(PlannedMounts, OneThatWasNotFrozenIsReplayedInALayer) {
    add("/srv", "ext4", "crash");
    EXPECT_EQ(only().options, "");
    EXPECT_TRUE(only().layer);
    set_.members[0].file_system = "xfs";
    EXPECT_EQ(only().options, "nouuid") << "its origin is mounted";
    EXPECT_TRUE(only().layer);
}

TEST_F(PlannedMounts, ABtrfsAlwaysGetsALayerForItsOwnIdentity) {
    add("/srv", "btrfs");
    EXPECT_TRUE(only().layer);
}

TEST_F(PlannedMounts, EachMountOfABtrfsShowsItsOwnSubvolume) {
    auto& member = add("/", "btrfs");
    member.mounts = {{.path = "/", .root = "/@"}, {.path = "/home", .root = "/@home"}};
    const auto planned = plan();
    ASSERT_EQ(planned.mounts.size(), 2U);
    EXPECT_EQ(planned.mounts[0].options, "subvol=/@");
    EXPECT_EQ(planned.mounts[1].options, "subvol=/@home");
}

TEST_F(PlannedMounts, AFileSystemWithoutAnOptionAgainstReplayGetsALayer) {
    add("/boot/efi", "vfat");
    EXPECT_TRUE(only().layer);
    EXPECT_EQ(only().options, "");
}

TEST_F(PlannedMounts, WhatLiesInAnotherOneComesAfterIt) {
    add("/srv/data/log", "ext4");
    add("/srv-old", "ext4");
    add("/srv", "ext4");
    add("/", "ext4");
    add("/srv/data", "ext4");
    EXPECT_THAT(paths(), ElementsAre("/", "/srv-old", "/srv", "/srv/data", "/srv/data/log"));
}

TEST_F(PlannedMounts, WithTheRootAmongThemThereIsNoNeedForABase) {
    add("/srv", "ext4");
    EXPECT_TRUE(plan().base);
    add("/", "ext4");
    EXPECT_FALSE(plan().base);
}

TEST_F(PlannedMounts, AMemberWithoutADeviceIsLeftOutWithTheReason) {
    add("/srv", "ext4");
    auto& host = add("/plain", "ext4");
    host.provider = "host";
    host.snapshot = "vm-snapshot-42";
    host.device.clear();
    auto& lun = add("/lun", "xfs");
    lun.provider = "exec";
    lun.device.clear();
    const auto planned = plan();
    EXPECT_EQ(planned.mounts.size(), 1U);
    ASSERT_EQ(planned.left_out.size(), 2U);
    EXPECT_THAT(planned.left_out[0].reason, HasSubstr("vm-snapshot-42"));
    EXPECT_THAT(planned.left_out[1].reason, HasSubstr("on no device"));
}

TEST_F(PlannedMounts, OneThatWasNotPutBackWithTheOthersIsMounted) {
    add("/a", "ext4").revert = "running";
    add("/b", "ext4").revert = "interrupted";
    const auto planned = plan();
    ASSERT_EQ(planned.left_out.size(), 1U);
    EXPECT_THAT(planned.left_out[0].reason, HasSubstr("is being put back"));
}

TEST_F(PlannedMounts, ASetThatIsNotCompleteIsRefused) {
    add("/srv", "ext4");
    set_.state = "frozen";
    const auto planned = plan_mounts(set_);
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::wrong_state);
}

TEST_F(PlannedMounts, TwoThatWereMountedAtTheSamePathAreRefused) {
    add("/data", "ext4").volume = "one";
    add("/data", "xfs").volume = "other";
    const auto planned = plan_mounts(set_);
    ASSERT_FALSE(planned);
    EXPECT_THAT(planned.error().message(), HasSubstr("one and other"));
}

TEST_F(PlannedMounts, AnOldManifestWithoutRootsShowsTheWholeFileSystem) {
    const auto view = view_manifest(R"({"members": [{"volume": "/srv", "mount_points": ["/srv", "/mnt"], "mount_roots": ["/sub"]}]})");
    ASSERT_TRUE(view);
    ASSERT_EQ(view->members[0].mounts.size(), 2U);
    EXPECT_EQ(view->members[0].mounts[0].root, "/sub");
    EXPECT_EQ(view->members[0].mounts[1].root, "/");
}

} // namespace
} // namespace quiesced
