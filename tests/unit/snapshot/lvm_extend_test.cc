// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_extend.h"

#include <gmock/gmock.h>

#include "lvm_twin.h"
#include "snapshot/lvm_reference.h"
#include "snapshot/lvm_space.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1ULL << 20U;

class LvmExtend : public testing::Test {
protected:
    LvmExtend() {
        lvm_->add_thick("a", Bytes{500 * kMiB});
        lvm_->add_pool("pool");
        lvm_->add_thin("c", "pool");
        const LvmCommand command(*lvm_);
        EXPECT_TRUE(command.create_thick_snapshot(*lvm_->find("a"), "a-snap", Bytes{100 * kMiB}, kDefaultChunk, set_));
        EXPECT_TRUE(command.create_thin_snapshot(*lvm_->find("c"), "c-snap", set_));
    }
    Result<Extension> extend(const std::string& name, const std::string& kind, unsigned percent = 50) {
        const auto& volume = *lvm_->find(name);
        const SnapshotRecord record{.volume = "/" + name, .provider = "lvm", .snapshot = volume.full_name(), .device = {},
                                    .reference = lvm_reference_to_json({.group = "vg", .name = name, .kind = kind == "store" ? "thick" : "thin", .uuid = volume.uuid})};
        return lvm_extend(LvmCommand(*lvm_), record, {.volume = record.volume, .kind = kind, .name = kind == "store" ? record.snapshot : "vg/pool", .percent = 80, .lost = {}}, percent);
    }
    const SetId set_ = SetId::parse("0123456789abcdef").value();
    std::shared_ptr<TwinDmTables> tables_ = std::make_shared<TwinDmTables>();
    std::shared_ptr<TwinLvm> lvm_ = std::make_shared<TwinLvm>(tables_);
};

TEST_F(LvmExtend, AStoreGrowsByItsShareInWholeExtents) {
    const auto done = extend("a-snap", "store");
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->from, Bytes{100 * kMiB});
    EXPECT_EQ(done->to, Bytes{152 * kMiB});
    EXPECT_EQ(lvm_->find("a-snap")->size, done->to);
    EXPECT_THAT(lvm_->calls.back(), ElementsAre("lvextend", "--size", std::to_string(152 * kMiB) + "b", "vg/a-snap"));
}

TEST_F(LvmExtend, AStoreNeverGetsLargerThanItCanUse) {
    const auto most = largest_store(*lvm_->find("a"));
    EXPECT_EQ(most, Bytes{504 * kMiB}) << "the origin, its tables, a whole extent";
    lvm_->find("a-snap")->size = Bytes{most.count - 4 * kMiB};
    EXPECT_EQ(extend("a-snap", "store")->to, most);
    const auto commands = lvm_->count("lvextend");
    const auto again = extend("a-snap", "store");
    ASSERT_TRUE(again) << "there is nothing to be mended: it cannot overflow";
    EXPECT_EQ(again->from, again->to);
    EXPECT_EQ(lvm_->count("lvextend"), commands);
}

TEST_F(LvmExtend, TakesWhatIsLeftOfTheGroupAndSaysWhenNothingIs) {
    lvm_->free = Bytes{9 * kMiB};
    EXPECT_EQ(extend("a-snap", "store")->to, Bytes{108 * kMiB});
    const auto refused = extend("a-snap", "store");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::no_space);
    EXPECT_THAT(refused.error().message(), HasSubstr("1.0 MiB are free in the volume group vg"));
}

TEST_F(LvmExtend, APoolsDataAndMetadataGrowEachForItself) {
    const auto data = extend("c-snap", "pool-data", 10);
    ASSERT_TRUE(data) << data.error().message();
    EXPECT_EQ(data->from, Bytes{1024 * kMiB});
    EXPECT_EQ(lvm_->find("pool")->size, Bytes{1128 * kMiB});
    EXPECT_EQ(lvm_->metadata, Bytes{4 * kMiB});
    lvm_->free = Bytes{8 * kMiB};
    const auto metadata = extend("c-snap", "pool-metadata");
    ASSERT_TRUE(metadata) << metadata.error().message();
    EXPECT_EQ(lvm_->metadata, Bytes{8 * kMiB}) << "at least an extent, and LVM's spare of the same size fits, too";
    lvm_->free = Bytes{4 * kMiB};
    EXPECT_EQ(extend("c-snap", "pool-metadata").error().kind, ErrorKind::no_space);
}

TEST_F(LvmExtend, LeavesAloneWhatLvmExtendsByItself) {
    lvm_->extends_itself = 70;
    lvm_->monitored = true;
    for (const auto* kind : {"pool-data", "pool-metadata"}) {
        const auto left = extend("c-snap", kind);
        ASSERT_TRUE(left);
        EXPECT_EQ(left->from, left->to);
    }
    EXPECT_EQ(extend("a-snap", "store")->to, Bytes{100 * kMiB});
    EXPECT_EQ(lvm_->count("lvextend"), 0U);
    lvm_->monitored = false;
    EXPECT_EQ(extend("a-snap", "store")->to, Bytes{152 * kMiB}) << "nobody would do it";
}

TEST_F(LvmExtend, ASnapshotThatIsGoneIsNamed) {
    const auto volume = *lvm_->find("a-snap");
    ASSERT_TRUE(LvmCommand(*lvm_).remove({"vg/a-snap"}));
    const SnapshotRecord record{.volume = "/a", .provider = "lvm", .snapshot = "vg/a-snap", .device = {},
                                .reference = lvm_reference_to_json({.group = "vg", .name = "a-snap", .kind = "thick", .uuid = volume.uuid})};
    const auto gone = lvm_extend(LvmCommand(*lvm_), record, {.volume = "/a", .kind = "store", .name = "vg/a-snap", .percent = 80, .lost = {}}, 50);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().kind, ErrorKind::no_such_volume);
}

} // namespace
} // namespace quiesced
