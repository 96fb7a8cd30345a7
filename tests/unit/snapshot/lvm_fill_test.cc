// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_fill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lvm_twin.h"

namespace quiesced {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class LvmFill : public testing::Test {
protected:
    LvmFill() {
        auto& snapshot = tables_.devices["LVM-snap"];
        snapshot.uuid = "LVM-snap";
        snapshot.targets = {{0, 2048, "snapshot", "253:1 253:2 P 8"}};
        auto& pool = tables_.devices["LVM-pool-tpool"];
        pool.uuid = "LVM-pool-tpool";
        pool.number = {253, 9};
        pool.targets = {{0, 2048, "thin-pool", "253:7 253:8 128 0 0"}};
        auto& thin = tables_.devices["LVM-thin"];
        thin.uuid = "LVM-thin";
        thin.targets = {{0, 2048, "thin", "253:9 4"}};
    }
    std::vector<Fill> thick(const std::string& status) {
        tables_.statuses["LVM-snap"] = status;
        return lvm_fills(tables_, "/a", {.group = "vg", .name = "a-q1", .kind = "thick", .uuid = "u", .dm_uuid = "LVM-snap"});
    }
    std::vector<Fill> thin(const std::string& status) {
        tables_.statuses["LVM-pool-tpool"] = status;
        return lvm_fills(tables_, "/c", {.group = "vg", .name = "c-q1", .kind = "thin", .uuid = "u", .dm_uuid = "LVM-thin", .pool = "pool"});
    }
    TwinDmTables tables_;
};

TEST_F(LvmFill, OfAThickSnapshotIsThatOfItsStore) {
    const auto fills = thick("512/2048 16");
    ASSERT_EQ(fills.size(), 1U);
    EXPECT_EQ(fills[0].volume, "/a");
    EXPECT_EQ(fills[0].kind, "store");
    EXPECT_EQ(fills[0].name, "vg/a-q1");
    EXPECT_EQ(fills[0].percent, 25);
    EXPECT_EQ(fills[0].lost, "");
}

TEST_F(LvmFill, AnInvalidThickSnapshotIsLost) {
    for (const auto* status : {"Invalid", "Overflow"}) {
        const auto fills = thick(status);
        ASSERT_EQ(fills.size(), 1U) << status;
        EXPECT_EQ(fills[0].percent, 100);
        EXPECT_THAT(fills[0].lost, HasSubstr("full"));
    }
}

TEST_F(LvmFill, OneThatLvmIsRemovingIsNeitherFullNorLost) {
    tables_.devices["LVM-snap"].targets = {{0, 2048, "linear", "253:2 0"}};
    EXPECT_THAT(thick(""), IsEmpty());
    tables_.devices["LVM-snap"].targets.clear();
    EXPECT_THAT(thick(""), IsEmpty());
}

TEST_F(LvmFill, OfAThinSnapshotIsThatOfItsPoolsDataAndMetadata) {
    const auto fills = thin("1 30/100 720/800 - rw discard_passdown queue_if_no_space - 1024");
    ASSERT_EQ(fills.size(), 2U);
    EXPECT_EQ(fills[0].kind, "pool-data");
    EXPECT_EQ(fills[0].name, "vg/pool");
    EXPECT_EQ(fills[0].percent, 90);
    EXPECT_EQ(fills[1].kind, "pool-metadata");
    EXPECT_EQ(fills[1].percent, 30);
}

TEST_F(LvmFill, AFailedPoolLosesItsSnapshots) {
    const auto fills = thin("Fail");
    ASSERT_EQ(fills.size(), 1U);
    EXPECT_THAT(fills[0].lost, HasSubstr("vg/pool has failed"));
}

TEST_F(LvmFill, OfWhatIsNotActiveOrUnreadableNothingIsSaid) {
    tables_.devices.erase("LVM-thin");
    EXPECT_THAT(thin("1 30/100 720/800 - rw"), IsEmpty());
    EXPECT_THAT(thick("0/0 0"), IsEmpty());
    EXPECT_THAT(lvm_fills(tables_, "/a", {.group = "vg", .name = "a", .kind = "thick", .uuid = "u"}), IsEmpty());
}

} // namespace
} // namespace quiesced
