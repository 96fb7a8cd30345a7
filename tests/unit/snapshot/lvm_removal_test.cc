// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_removal.h"

#include <gmock/gmock.h>

#include "lvm_twin.h"
#include "snapshot/store_policy.h"

namespace quiesced {
namespace {

using testing::Contains;
using testing::ElementsAre;

/// An armed thick snapshot of "a".
class LvmRemoval : public testing::Test {
protected:
    LvmRemoval() {
        lvm_->add_thick("a", Bytes{500ULL << 20U});
        EXPECT_TRUE(command_.create_thick_snapshot(*lvm_->find("a"), kSnapshot, Bytes{100ULL << 20U}, kDefaultChunk, set_));
        lvm_->calls.clear();
    }
    Result<void> remove() {
        const std::vector<LogicalVolume> snapshots{*lvm_->find(kSnapshot)};
        return lvm_remove_snapshots(command_, *tables_, set_, snapshots);
    }
    DmDevice& origin_device() { return tables_->devices.at(lvm_->find("a")->dm_uuid()); }

    static constexpr const char* kSnapshot = "a-q0123456789abcdef";
    const SetId set_ = SetId::parse("0123456789abcdef").value();
    std::shared_ptr<TwinDmTables> tables_ = std::make_shared<TwinDmTables>();
    std::shared_ptr<TwinLvm> lvm_ = std::make_shared<TwinLvm>(tables_);
    const LvmCommand command_{*lvm_};
};

TEST_F(LvmRemoval, OneThatGoesWellIsOneCommand) {
    ASSERT_TRUE(remove());
    EXPECT_THAT(lvm_->calls, ElementsAre(ElementsAre("lvremove", "--yes", std::string("vg/") + kSnapshot)));
}

TEST_F(LvmRemoval, AnOriginThatAnEarlierOneLeftSuspendedIsResumed) {
    lvm_->find(kSnapshot)->origin.clear(); // LVM has forgotten it already
    lvm_->find("a")->attributes = "-wi-so----";
    origin_device().suspended = true;
    ASSERT_TRUE(remove());
    EXPECT_THAT(lvm_->calls, Contains(ElementsAre("lvchange", "--refresh", "vg/a")));
}

TEST_F(LvmRemoval, OnlyWhatIsSuspendedOrHasADeviceOfASnapshotsOriginIsRefreshed) {
    lvm_->find(kSnapshot)->origin.clear();
    lvm_->find("a")->attributes = "-wi-ao----";
    tables_->devices.erase(lvm_->find("a")->dm_uuid() + "-real");
    ASSERT_TRUE(remove());
    EXPECT_EQ(lvm_->count("lvchange"), 0U);
}

TEST_F(LvmRemoval, TheOriginOfOneThatFailsIsSeenToAtOnce) {
    lvm_->fail_on = "lvremove";
    origin_device().suspended = true;
    const auto removed = remove();
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().kind, ErrorKind::lvm_failed);
    EXPECT_THAT(lvm_->calls, Contains(ElementsAre("lvchange", "--refresh", "vg/a")));
}

} // namespace
} // namespace quiesced
