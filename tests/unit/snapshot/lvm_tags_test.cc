// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_tags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quiesced {
namespace {

using testing::IsEmpty;

TEST(LvmTags, AMemberSurvivesInCharactersThatLvmTakes) {
    const auto tag = lvm_member_tag({.volume = "/srv/my data, \xc3\xa4 & more:x", .file_system = "ext4"});
    ASSERT_TRUE(tag);
    EXPECT_EQ(*tag, "quiesced.member=ext4:/srv/my&20data&2C&20&C3&A4&20&26&20more:x");
    LogicalVolume volume;
    volume.tags = {"quiesced", *tag, "other"};
    const auto members = lvm_tagged_members(volume);
    ASSERT_EQ(members.size(), 1U);
    EXPECT_EQ(members[0].volume, "/srv/my data, \xc3\xa4 & more:x");
    EXPECT_EQ(members[0].file_system, "ext4");
}

TEST(LvmTags, WhatIsTooLongForATagHasNone) {
    EXPECT_TRUE(lvm_member_tag({.volume = "/" + std::string(1002, 'x'), .file_system = "ext4"}));
    EXPECT_FALSE(lvm_member_tag({.volume = "/" + std::string(1003, 'x'), .file_system = "ext4"}));
}

TEST(LvmTags, WhatMakesNoSenseIsPassedOver) {
    LogicalVolume volume;
    volume.tags = {"quiesced.member=", "quiesced.member=ext4", "quiesced.member=ext4:", "quiesced.member=ext4:/a&2", "quiesced.member=ext4:/a&zz", "quiesced.set=12"};
    EXPECT_THAT(lvm_tagged_members(volume), IsEmpty());
    EXPECT_FALSE(lvm_tagged_set(volume));
    volume.tags.emplace_back("quiesced.set=6560000000000001");
    EXPECT_EQ(lvm_tagged_set(volume)->text(), "6560000000000001");
}

} // namespace
} // namespace quiesced
