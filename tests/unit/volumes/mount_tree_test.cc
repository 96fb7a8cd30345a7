// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/mount_tree.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

MountEntry entry(std::uint64_t id, std::uint64_t parent, const std::string& point) {
    MountEntry result;
    result.mount_id = id;
    result.parent_id = parent;
    result.mount_point = point;
    return result;
}

TEST(MountTree, APathLiesOnTheDeepestMountAboveIt) {
    const std::vector<MountEntry> entries{entry(1, 0, "/"), entry(2, 1, "/a"), entry(3, 2, "/a/b")};
    const MountTree tree(entries);
    EXPECT_EQ(tree.at("/")->mount_id, 1U);
    EXPECT_EQ(tree.at("/ab/c")->mount_id, 1U);
    EXPECT_EQ(tree.at("/a")->mount_id, 2U);
    EXPECT_EQ(tree.at("/a/bc")->mount_id, 2U);
    EXPECT_EQ(tree.at("/a/b/c/d")->mount_id, 3U);
}

TEST(MountTree, TheLastOfSeveralMountsOnAFolderIsVisible) {
    const std::vector<MountEntry> entries{entry(1, 0, "/"), entry(2, 1, "/a"), entry(3, 2, "/a")};
    const MountTree tree(entries);
    EXPECT_FALSE(tree.visible(entries[1]));
    EXPECT_TRUE(tree.visible(entries[2]));
}

TEST(MountTree, AMountBelowACoveredFolderIsHidden) {
    // /a/b was mounted first, then something else over /a.
    const std::vector<MountEntry> entries{entry(1, 0, "/"), entry(2, 1, "/a/b"), entry(3, 1, "/a")};
    const MountTree tree(entries);
    EXPECT_FALSE(tree.visible(entries[1]));
    EXPECT_EQ(tree.at("/a/b/file")->mount_id, 3U);
}

TEST(MountTree, MountsThatAreEachOthersParentEndTheWalk) {
    const std::vector<MountEntry> entries{entry(1, 0, "/"), entry(2, 3, "/"), entry(3, 2, "/"), entry(4, 4, "/")};
    const MountTree tree(entries);
    EXPECT_NE(tree.at("/a"), nullptr);
    EXPECT_EQ(MountTree({}).at("/a"), nullptr);
}

TEST(MountTree, AMountIsBehindWhatItsPathLeadsThroughAndNotWhatItCovers) {
    const auto table = parse_mountinfo("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                       "2 1 0:50 / /net rw - nfs4 server:/ rw\n"
                                       "3 2 8:2 / /net/deep/disk rw - ext4 /dev/sda2 rw\n"
                                       "4 1 0:51 / /covered rw - fuse.sshfs server:/ rw\n"
                                       "5 4 8:3 / /covered rw - ext4 /dev/sda3 rw\n"
                                       "6 5 8:4 / /covered/disk rw - ext4 /dev/sda4 rw\n"
                                       "7 1 0:52 / /boot rw - autofs systemd-1 rw\n"
                                       "8 7 8:5 / /boot/efi rw - vfat /dev/sda5 rw\n");
    const MountTree tree(table.entries);
    std::vector<bool> behind;
    for (const auto& entry : table.entries) behind.push_back(tree.behind_remote(entry));
    EXPECT_EQ(behind, (std::vector<bool>{false, false, true, false, false, false, false, false}));
}

} // namespace
} // namespace quiesced
