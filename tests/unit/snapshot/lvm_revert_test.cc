// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_revert.h"

#include <gmock/gmock.h>

#include "lvm_twin.h"
#include "snapshot/lvm_reference.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LvmRevert : public testing::Test {
protected:
    LvmRevert() {
        lvm_->add_thick("a", Bytes{500ULL << 20U}).attributes = "-wi-a-----";
        lvm_->add_pool("pool");
        lvm_->add_thin("c", "pool").attributes = "Vwi-a-tz--";
        EXPECT_TRUE(command_.create_thick_snapshot(*lvm_->find("a"), "a-snap", Bytes{100ULL << 20U}, kDefaultChunk, set_));
        EXPECT_TRUE(command_.create_thin_snapshot(*lvm_->find("c"), "c-snap", set_));
        for (const auto* name : {"a-snap", "c-snap"}) {
            const auto& volume = *lvm_->find(name);
            records_.push_back({.volume = "/" + volume.origin, .provider = "lvm", .snapshot = volume.full_name(), .device = {},
                                .reference = lvm_reference_to_json({.group = "vg", .name = name, .kind = volume.pool.empty() ? "thick" : "thin", .uuid = volume.uuid})});
        }
        lvm_->calls.clear();
    }
    std::vector<Merge::Progress> progress() {
        std::vector<Merge::Progress> all;
        const auto merges = lvm_merges(command_, *tables_, records_);
        EXPECT_TRUE(merges);
        for (const auto& merge : merges.value_or(std::vector<Merge>{})) all.push_back(merge.progress);
        return all;
    }
    ErrorKind refused(const std::string& says) {
        const auto checked = lvm_check_revert(command_, set_, records_);
        const auto tried = lvm_revert(command_, set_, records_);
        EXPECT_FALSE(checked || tried);
        EXPECT_EQ(lvm_->count("lvconvert"), 0U) << "none of them is merged";
        if (checked || tried) return ErrorKind::internal;
        EXPECT_THAT(checked.error().message(), HasSubstr(says));
        EXPECT_EQ(checked.error().message(), tried.error().message());
        return checked.error().kind;
    }
    const SetId set_ = SetId::parse("0123456789abcdef").value();
    std::shared_ptr<TwinDmTables> tables_ = std::make_shared<TwinDmTables>();
    std::shared_ptr<TwinLvm> lvm_ = std::make_shared<TwinLvm>(tables_);
    const LvmCommand command_{*lvm_};
    std::vector<SnapshotRecord> records_;
};

TEST_F(LvmRevert, BothKindsAreMergedByOneCommandAndDoneWhenTheirOwnUuidIsGone) {
    EXPECT_THAT(progress(), ElementsAre(Merge::Progress::none, Merge::Progress::none));
    ASSERT_TRUE(lvm_revert(command_, set_, records_));
    EXPECT_THAT(lvm_->calls.back(), ElementsAre("lvconvert", "--yes", "--merge", "--background", "vg/a-snap", "vg/c-snap"));
    EXPECT_THAT(progress(), ElementsAre(Merge::Progress::done, Merge::Progress::done));
}

TEST_F(LvmRevert, TwoMembersOnOneVolumeAreOneMerge) {
    records_.push_back(records_.front());
    ASSERT_TRUE(lvm_revert(command_, set_, records_));
    EXPECT_THAT(lvm_->calls.back(), ElementsAre("lvconvert", "--yes", "--merge", "--background", "vg/a-snap", "vg/c-snap"));
}

TEST_F(LvmRevert, WhatIsInUseIsPendingAndThenRunsAsTheKernelSays) {
    lvm_->find("a")->attributes = "owi-aos---";
    ASSERT_TRUE(lvm_revert(command_, set_, records_));
    EXPECT_THAT(progress(), ElementsAre(Merge::Progress::pending, Merge::Progress::done));
    const auto uuid = lvm_->find("a")->dm_uuid();
    tables_->devices.at(uuid).targets.front().type = "snapshot-merge";
    tables_->statuses[uuid] = "50512/102400 512";
    const auto merges = lvm_merges(command_, *tables_, records_);
    ASSERT_TRUE(merges);
    EXPECT_EQ(merges->front().progress, Merge::Progress::running);
    EXPECT_NEAR(merges->front().percent.value(), 50.9, 0.1) << "half of the store is merged";
}

TEST_F(LvmRevert, OfWhatHasNotBegunItIsKnownWhetherItsOriginIsInUse) {
    lvm_->find("a")->attributes = "owi-aos---";
    const auto merges = lvm_merges(command_, *tables_, records_);
    ASSERT_TRUE(merges);
    EXPECT_TRUE(merges->at(0).in_use);
    EXPECT_FALSE(merges->at(1).in_use);
}

TEST_F(LvmRevert, AMergeOfAnotherSnapshotIntoTheSameOriginIsNotThatOfThisOne) {
    ASSERT_TRUE(command_.create_thick_snapshot(*lvm_->find("a"), "a-other", Bytes{100ULL << 20U}, kDefaultChunk, set_));
    lvm_->find("a")->attributes = "Owi-aos---";
    lvm_->find("a-other")->attributes = "Swi-aos---";
    EXPECT_THAT(progress(), ElementsAre(Merge::Progress::none, Merge::Progress::none));
}

TEST_F(LvmRevert, APlainVolumeWithAnEmptyStoreIsWhatACutOffMergeHasLeft) {
    auto& snapshot = *lvm_->find("a-snap");
    snapshot.origin.clear();
    snapshot.attributes = "-wi-a-----";
    std::string asked;
    for (const bool empty : {true, false}) {
        const auto merges = lvm_merges(command_, *tables_, records_, [&](const std::string& path) -> Result<bool> {
            asked = path;
            return empty;
        });
        ASSERT_TRUE(merges);
        EXPECT_EQ(merges->at(0).progress, empty ? Merge::Progress::done : Merge::Progress::none) << "a removal or a split that was cut off leaves the same";
        EXPECT_EQ(merges->at(0).left_over, empty);
        EXPECT_EQ(merges->at(1).progress, Merge::Progress::none);
    }
    EXPECT_EQ(asked, "/dev/vg/a-snap");
    const auto unreadable = lvm_merges(command_, *tables_, records_, [](const std::string&) -> Result<bool> { return fail(ErrorKind::io, "no store"); });
    ASSERT_TRUE(unreadable);
    EXPECT_EQ(unreadable->at(0).progress, Merge::Progress::none);
    lvm_->find("a-snap")->attributes = "-wi-------";
    const auto inactive = lvm_merges(command_, *tables_, records_, [](const std::string&) -> Result<bool> { return true; });
    ASSERT_FALSE(inactive);
    EXPECT_THAT(inactive.error().message(), HasSubstr("lvchange -ay vg/a-snap"));
}

TEST_F(LvmRevert, ChangesNothingWhenOneOfThemCannotBe) {
    lvm_->find("a-snap")->attributes = "swi-aos---";
    EXPECT_EQ(refused("umount 0123456789abcdef"), ErrorKind::busy);
    lvm_->find("a-snap")->attributes = "swi-I-s---";
    EXPECT_EQ(refused("store was full"), ErrorKind::no_space);
    lvm_->find("a-snap")->attributes = "swi-a-s---";
    lvm_->find("c")->attributes = "Owi-aotz--";
    EXPECT_EQ(refused("another snapshot is being merged into vg/c (/c)"), ErrorKind::busy);
    lvm_->find("c")->attributes = "Vwi-a-tz--";
    lvm_->find("c-snap")->tags.clear();
    EXPECT_EQ(refused("vg/c-snap of /c is gone"), ErrorKind::no_such_volume);
}

} // namespace
} // namespace quiesced
