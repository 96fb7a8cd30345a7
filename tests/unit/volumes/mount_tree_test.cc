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

} // namespace
} // namespace quiesced
