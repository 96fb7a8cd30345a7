// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_provider.h"

#include <gmock/gmock.h>

#include "../claims.h"
#include "lvm_twin.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kSuffix = "-q0123456789abcdef";

class LvmProviderTest : public testing::Test {
protected:
    LvmProviderTest() {
        lvm_->add_thick("a", Bytes{500ULL << 20U});
        lvm_->add_pool("pool");
        lvm_->add_thin("c", "pool");
        put("/a", "vg-a", lvm_->find("a")->dm_uuid());
        put("/c", "vg-c", lvm_->find("c")->dm_uuid());
        put("/luks", "luks", "CRYPT-LUKS2-0123-luks");
        put("/disk", "", "");
        auto& both = put("/several", "vg-a", lvm_->find("a")->dm_uuid());
        both.devices.push_back(both.devices.front());
        inventory_ = Inventory({}, BlockGraph(nodes_), {});
    }

    Volume& put(const std::string& name, const std::string& dm_name, const std::string& dm_uuid) {
        BlockNode node;
        node.number = {253, static_cast<std::uint32_t>(nodes_.size())};
        node.dm_name = dm_name;
        node.dm_uuid = dm_uuid;
        nodes_[node.number] = node;
        auto& volume = *volumes_.emplace_back(std::make_unique<Volume>());
        volume.name = name;
        volume.devices = {node.number};
        volume.device_path = "/dev/mapper/" + dm_name;
        return volume;
    }

    std::vector<const Volume*> chosen(const std::vector<std::size_t>& indexes) {
        std::vector<const Volume*> result;
        for (const auto index : indexes) result.push_back(volumes_.at(index).get());
        return result;
    }

    std::vector<SnapshotRecord> finished_set() {
        auto session = provider_.begin(set_, chosen({0, 1}), inventory_);
        EXPECT_TRUE(session && (*session)->arm());
        return (*session)->finish().value();
    }

    const SetId set_ = SetId::parse("0123456789abcdef").value();
    std::shared_ptr<TwinDmTables> tables_ = std::make_shared<TwinDmTables>();
    std::shared_ptr<TwinLvm> lvm_ = std::make_shared<TwinLvm>(tables_);
    LvmProvider provider_{lvm_, tables_};
    std::map<DeviceNumber, BlockNode> nodes_;
    std::vector<std::unique_ptr<Volume>> volumes_;
    Inventory inventory_;
};

TEST_F(LvmProviderTest, ClaimsVolumesOnOneLogicalVolumeWithOneCommand) {
    const auto claims = provider_.claim(chosen({3, 1, 2, 0, 4}), inventory_);
    EXPECT_THAT(taken(claims), ElementsAre(1, 3));
    EXPECT_EQ(lvm_->calls.size(), 1U);
}

TEST_F(LvmProviderTest, ClaimRunsNothingWithoutALogicalVolume) {
    EXPECT_THAT(taken(provider_.claim(chosen({2, 3}), inventory_)), IsEmpty());
    EXPECT_THAT(lvm_->calls, IsEmpty());
}

TEST_F(LvmProviderTest, EveryClaimSaysWhy) {
    lvm_->find("a")->segment_type = "vdo";
    const auto claims = provider_.claim(chosen({0, 1, 2, 4}), inventory_);
    EXPECT_EQ(claims.at(0).reason, "vg/a is a logical volume of the type vdo, of which LVM takes no snapshot here");
    EXPECT_EQ(claims.at(1).reason, "vg/c is a thin volume of the pool vg/pool");
    EXPECT_EQ(claims.at(2).reason, "/dev/mapper/luks is no logical volume");
    EXPECT_EQ(claims.at(3).reason, "it lies on 2 devices, of which LVM would take one after another");
    lvm_->find("a")->segment_type = "linear";
    EXPECT_EQ(provider_.claim(chosen({0}), inventory_).at(0).reason, "vg/a is a thick logical volume (linear)");
}

TEST_F(LvmProviderTest, AnEstimateSaysWhatArmNeedsAndChangesNothing) {
    const auto session = provider_.begin(set_, chosen({0, 1}), inventory_, {.store = {.base = StorePolicy::Base::bytes, .value = 100ULL << 20U}, .written = {}});
    ASSERT_TRUE(session);
    const auto estimate = (*session)->estimate();
    ASSERT_TRUE(estimate) << estimate.error().message();
    ASSERT_EQ(estimate->space.size(), 2U);
    EXPECT_EQ(estimate->space[0].name, "vg");
    EXPECT_THAT(estimate->space[0].volumes, ElementsAre("/a"));
    EXPECT_EQ(estimate->space[0].needed, Bytes{100ULL << 20U});
    EXPECT_EQ(estimate->space[1].name, "vg/pool");
    EXPECT_THAT(estimate->space[1].volumes, ElementsAre("/c"));
    EXPECT_EQ(estimate->stores, (std::map<std::string, Bytes>{{"/a", Bytes{100ULL << 20U}}}));
    EXPECT_EQ(lvm_->calls.size(), lvm_->count("lvs"));
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "pool", "c"));
    ASSERT_TRUE((*session)->arm());
    EXPECT_EQ(lvm_->find("a" + kSuffix)->size, estimate->stores.at("/a")) << "what was estimated is what is made";
}

TEST_F(LvmProviderTest, ASnapshotIsNotClaimed) {
    lvm_->find("a")->attributes = "swi-aos---";
    EXPECT_THAT(taken(provider_.claim(chosen({0, 1}), inventory_)), ElementsAre(1));
}

TEST_F(LvmProviderTest, ABrokenLvmFailsTheClaimOfLogicalVolumesAlone) {
    lvm_->fail_on = "lvs";
    const auto claims = provider_.claim(chosen({0, 2}), inventory_);
    ASSERT_TRUE(claims.at(0).error);
    EXPECT_EQ(claims.at(0).error->kind, ErrorKind::lvm_failed);
    EXPECT_FALSE(claims.at(0).taken);
    EXPECT_FALSE(claims.at(1).error);
}

TEST_F(LvmProviderTest, BeginRefusesAVolumeThatIsNoLogicalVolume) {
    const auto session = provider_.begin(set_, chosen({0, 2}), inventory_);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::no_provider);
}

TEST_F(LvmProviderTest, RemoveTakesAwayTheSetAndTwiceIsNoError) {
    const auto records = finished_set();
    EXPECT_TRUE(provider_.remove(set_, records));
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "pool", "c"));
    EXPECT_TRUE(provider_.remove(set_, records));
}

TEST_F(LvmProviderTest, RemoveFindsARenamedSnapshot) {
    const auto records = finished_set();
    lvm_->find("a" + kSuffix)->name = "kept";
    EXPECT_TRUE(provider_.remove(set_, records));
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "pool", "c"));
}

TEST_F(LvmProviderTest, MapActivatesOnlyWhatIsInactiveAndKnowsRenamedOnes) {
    const auto records = finished_set();
    lvm_->find("a" + kSuffix)->name = "kept";
    const auto mapped = provider_.map(set_, records);
    ASSERT_TRUE(mapped) << mapped.error().message();
    EXPECT_EQ(mapped->at(0).device, "/dev/vg/kept");
    EXPECT_EQ(mapped->at(1).device, "/dev/vg/c" + kSuffix);
    EXPECT_THAT(lvm_->calls.back(), ElementsAre("lvchange", "--yes", "--activate", "y", "--ignoreactivationskip", "--ignoremonitoring", "vg/c" + kSuffix));
}

TEST_F(LvmProviderTest, FindsItsSnapshotsByTheirTagsAlone) {
    const auto records = finished_set();
    const auto found = provider_.find_all();
    ASSERT_TRUE(found) << found.error().message();
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(found->at(0).set, set_);
    EXPECT_EQ(found->at(0).record.volume, "/a");
    EXPECT_EQ(found->at(0).record.device, records[0].device);
    EXPECT_EQ(found->at(0).origin, "/dev/vg/a");
    EXPECT_EQ(found->at(1).record.volume, "/c");
    for (const auto& snapshot : *found) EXPECT_TRUE(snapshot.cut);
    EXPECT_TRUE(provider_.remove(set_, {found->at(0).record, found->at(1).record})) << "they are as good as its own records";
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "pool", "c"));
}

TEST_F(LvmProviderTest, ASnapshotThatIsOnlyArmedIsFoundAsNotCut) {
    const auto session = provider_.begin(set_, chosen({0}), inventory_);
    ASSERT_TRUE((*session)->arm());
    const auto found = provider_.find_all();
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U);
    EXPECT_FALSE(found->at(0).cut);
}

TEST_F(LvmProviderTest, MapNamesASnapshotThatIsGoneAndOneThatIsLost) {
    const auto records = finished_set();
    lvm_->find("a" + kSuffix)->attributes = "swi-I-s---";
    const auto lost = provider_.map(set_, records);
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().kind, ErrorKind::no_space);
    EXPECT_THAT(lost.error().message(), testing::HasSubstr("/a"));
    lvm_->find("a" + kSuffix)->tags.clear();
    const auto gone = provider_.map(set_, records);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().kind, ErrorKind::no_such_volume);
}

TEST_F(LvmProviderTest, RemoveLeavesWhatHasNotTheSetsTagOrIsInNoRecord) {
    auto records = finished_set();
    lvm_->find("a" + kSuffix)->tags = {"quiesced", "quiesced.set=ffffffffffffffff"};
    records.pop_back(); // of c
    EXPECT_TRUE(provider_.remove(set_, records));
    EXPECT_NE(lvm_->find("a" + kSuffix), nullptr);
    EXPECT_NE(lvm_->find("c" + kSuffix), nullptr);
    EXPECT_EQ(lvm_->count("lvremove"), 0U);
}

TEST_F(LvmProviderTest, RemoveRefusesAReferenceThatIsNone) {
    auto records = finished_set();
    for (const auto* text : {"", "[]", "{}", R"({"vg":"vg","lv":3})"}) {
        records.front().reference = text;
        const auto removed = provider_.remove(set_, records);
        ASSERT_FALSE(removed) << text;
        EXPECT_EQ(removed.error().kind, ErrorKind::io);
    }
    EXPECT_EQ(lvm_->count("lvremove"), 0U);
}

} // namespace
} // namespace quiesced
