// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_space.h"

#include <gmock/gmock.h>

namespace quiesced {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1ULL << 20U;

LogicalVolume thick(const std::string& name, std::uint64_t mebibytes, std::uint64_t free_mebibytes = 1000) {
    LogicalVolume volume;
    volume.group = "vg";
    volume.group_free = Bytes{free_mebibytes * kMiB};
    volume.extent = Bytes{4 * kMiB};
    volume.name = name;
    volume.size = Bytes{mebibytes * kMiB};
    volume.segment_type = "linear";
    volume.attributes = "-wi-a-----";
    return volume;
}

LogicalVolume pool(double data, double metadata, const std::string& attributes = "twi-aotz--") {
    auto volume = thick("pool", 1000);
    volume.segment_type = "thin-pool";
    volume.attributes = attributes;
    volume.data_percent = data;
    volume.metadata_percent = metadata;
    return volume;
}

LogicalVolume thin(const std::string& name) {
    auto volume = thick(name, 1000);
    volume.segment_type = "thin";
    volume.attributes = "Vwi-a-tz--";
    volume.pool = "pool";
    return volume;
}

using Base = StorePolicy::Base;

TEST(StoreSize, IsByDefaultTwiceTheLastHoursWritesButNotLessThanTheFloor) {
    const StorePolicy automatic;
    EXPECT_EQ(store_size(thick("a", 10000), automatic, {.written = 2000 * kMiB, .used = {}, .free_share = {}}), Bytes{4000 * kMiB});
    EXPECT_EQ(store_size(thick("a", 4000), automatic, {.written = 1 * kMiB, .used = {}, .free_share = {}}), Bytes{512 * kMiB});
    EXPECT_EQ(store_size(thick("a", 10000), automatic), Bytes{1000 * kMiB}) << "10 % where nothing is known";
    EXPECT_EQ(store_size(thick("a", 200), automatic), Bytes{204 * kMiB}) << "never more than a store can use";
}

TEST(StoreSize, IsWhatTheRequestorWantsInWholeExtents) {
    EXPECT_EQ(store_size(thick("a", 1000), {.base = Base::bytes, .value = 30 * kMiB}), Bytes{32 * kMiB});
    EXPECT_EQ(store_size(thick("a", 1010), {.base = Base::size, .value = 20}), Bytes{204 * kMiB}); // 202 rounded up
    EXPECT_EQ(store_size(thick("a", 1000), {.base = Base::used, .value = 200}, {.written = {}, .used = 100 * kMiB, .free_share = {}}), Bytes{200 * kMiB});
    EXPECT_EQ(store_size(thick("a", 1000), {.base = Base::used, .value = 50}), Bytes{500 * kMiB}) << "of the size where that is not known";
    EXPECT_EQ(store_size(thick("a", 1000), {.base = Base::free, .value = 50}, {.written = {}, .used = {}, .free_share = Bytes{101 * kMiB}}), Bytes{48 * kMiB})
        << "rounded down: there is no more";
    EXPECT_EQ(store_size(thick("a", 1000), {.base = Base::free, .value = 1}), Bytes{4 * kMiB}) << "one extent";
}

TEST(StoreSize, IsNeverMoreThanAStoreCanUse) {
    EXPECT_EQ(store_size(thick("a", 16), {.base = Base::bytes, .value = 1ULL << 40U}), Bytes{20 * kMiB}); // 16 MiB and the tables of its chunks
    // What LVM 2.03.16 itself reduces a store for 200 MiB to.
    EXPECT_EQ(store_size(thick("a", 200), {.base = Base::size, .value = 900}), Bytes{204 * kMiB});
}

TEST(StoreSize, LargerChunksNeedMoreForAFewAndLessForTheTablesOfMany) {
    const StorePolicy wide{.base = Base::size, .value = 900, .chunk = Bytes{64ULL << 10U}};
    EXPECT_EQ(store_size(thick("a", 2000), wide), Bytes{2004 * kMiB});
    EXPECT_EQ(store_size(thick("a", 2000), {.base = Base::size, .value = 900}), Bytes{2008 * kMiB});
    EXPECT_EQ(largest_store(thick("a", 2000), wide.chunk), Bytes{2004 * kMiB});
}

TEST(StoreSize, IsAtLeastWhatLvmTakes) {
    auto small = thick("a", 100);
    small.extent = Bytes{64ULL << 10U};
    EXPECT_EQ(store_size(small, {.base = Base::bytes, .value = 1}), Bytes{64ULL << 10U});
    EXPECT_EQ(store_size(small, {.base = Base::bytes, .value = 1, .chunk = Bytes{512ULL << 10U}}), Bytes{1536ULL << 10U});
}

TEST(StoreSize, DoesNotOverflowForTheLargestVolumes) {
    const auto size = store_size(thick("a", 1ULL << 43U), {.base = Base::size, .value = 20}); // 8 EiB
    EXPECT_GT(size.count, (1ULL << 60U));
    EXPECT_LT(size.count, (1ULL << 61U));
    EXPECT_GT(store_size(thick("a", 1ULL << 43U), {}, {.written = UINT64_MAX, .used = {}, .free_share = {}}).count, (1ULL << 62U));
}

TEST(LvmSpace, TheSumOfAGroupsStoresMustFit) {
    const auto a = thick("a", 500, 200);
    const auto b = thick("b", 500, 200);
    EXPECT_TRUE(check_space({{a, "sa", Bytes{100 * kMiB}}, {b, "sb", Bytes{100 * kMiB}}}, {a, b}));
    const auto checked = check_space({{a, "sa", Bytes{100 * kMiB}}, {b, "sb", Bytes{104 * kMiB}}}, {a, b});
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind, ErrorKind::no_space);
    const auto message = checked.error().message();
    EXPECT_THAT(message, HasSubstr("volume group vg"));
    EXPECT_THAT(message, HasSubstr("a, b"));
    EXPECT_THAT(message, HasSubstr("need 204 MiB, 200 MiB are free"));
    EXPECT_THAT(message, HasSubstr("vgextend"));
}

TEST(LvmSpace, AThinPoolMustHaveRoomInDataAndMetadata) {
    const auto a = thin("a");
    const auto check = [&a](const LogicalVolume& its_pool) { return check_space({{a, "sa", Bytes{}}}, {a, its_pool}); };
    EXPECT_TRUE(check(pool(94.9, 94.9)));
    const auto data = check(pool(95, 10));
    ASSERT_FALSE(data);
    EXPECT_EQ(data.error().kind, ErrorKind::no_space);
    EXPECT_THAT(data.error().message(),
                HasSubstr("thin pool vg/pool has no room for another snapshot: its data are 95.0 % full"));
    const auto metadata = check(pool(10, 97.25));
    ASSERT_FALSE(metadata);
    EXPECT_EQ(metadata.error().kind, ErrorKind::no_space);
    EXPECT_THAT(metadata.error().message(), HasSubstr("--poolmetadatasize"));
}

TEST(LvmSpace, SmallPoolMetadataAreFullAsEarlyAsLvmFindsThem) {
    const auto a = thin("a");
    const auto check = [&a](double fill, std::uint64_t mebibytes) {
        auto small = pool(10, fill);
        small.metadata_size = Bytes{mebibytes * kMiB};
        return check_space({{a, "sa", Bytes{}}}, {a, small});
    };
    EXPECT_TRUE(check(74.9, 2));
    EXPECT_FALSE(check(75, 2));
    EXPECT_FALSE(check(75, 16));
    EXPECT_TRUE(check(87.4, 32));
    const auto refused = check(87.5, 32);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::no_space);
    EXPECT_THAT(refused.error().message(), HasSubstr("its metadata are 87.5 % full, from 87.5 % on none is taken"));
    EXPECT_TRUE(check(94.9, 1024));
    EXPECT_FALSE(check(95, 1024));
}

TEST(LvmSpace, APoolThatIsReadOnlyForItsMetadataIsToBeExtendedUnlessTheyAreDamaged) {
    const auto a = thin("a");
    auto full = pool(10, 100, "twi-aotzM-");
    full.metadata_size = Bytes{2 * kMiB};
    const auto check = [&] { return check_space({{a, "sa", Bytes{}}}, {a, full}).error(); };
    EXPECT_EQ(check().kind, ErrorKind::no_space);
    EXPECT_THAT(check().message(), testing::AllOf(HasSubstr("read-only: its metadata are 100.0 % full"), HasSubstr("--poolmetadatasize"), testing::Not(HasSubstr("repair"))));
    full.needs_check = true; // the kernel refuses to extend it then
    EXPECT_EQ(check().kind, ErrorKind::lvm_failed);
    EXPECT_THAT(check().message(), HasSubstr("lvconvert --repair"));
    full.needs_check = false;
    full.metadata_percent = 40; // whatever it is, room is not what it lacks
    EXPECT_EQ(check().kind, ErrorKind::lvm_failed);
}

TEST(LvmSpace, TheNeedsNameEveryPlaceWithWhatIsNeededAndFound) {
    const auto a = thick("a", 500, 200);
    const auto c = thin("c");
    const auto needs = space_needs({{c, "sc", Bytes{}, {"/c", "/c2"}}, {a, "sa", Bytes{204 * kMiB}, {"/a"}}}, {a, c, pool(81.5, 2)});
    ASSERT_EQ(needs.size(), 2U);
    EXPECT_EQ(needs[0].kind, "volume-group");
    EXPECT_EQ(needs[0].needed, Bytes{204 * kMiB});
    EXPECT_EQ(needs[0].free, Bytes{200 * kMiB});
    EXPECT_EQ(needs[0].volumes, std::vector<std::string>{"/a"});
    EXPECT_TRUE(needs[0].refusal);
    EXPECT_EQ(needs[1].kind, "thin-pool");
    EXPECT_EQ(needs[1].name, "vg/pool");
    EXPECT_EQ(needs[1].volumes, (std::vector<std::string>{"/c", "/c2"}));
    EXPECT_EQ(needs[1].data_percent, 81.5);
    EXPECT_FALSE(needs[1].refusal);
    EXPECT_THAT(needs[1].text, HasSubstr("81.5 % full"));
}

TEST(LvmSpace, AFailedPoolIsRefused) {
    const auto a = thin("a");
    for (const auto* attributes : {"twi-aotzF-", "twi-aotzM-"}) {
        const auto checked = check_space({{a, "sa", Bytes{}}}, {a, pool(1, 1, attributes)});
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.error().kind, ErrorKind::lvm_failed);
    }
    EXPECT_EQ(check_space({{a, "sa", Bytes{}}}, {a, pool(1, 1, "twi-aotzD-")}).error().kind, ErrorKind::no_space);
    EXPECT_FALSE(check_space({{a, "sa", Bytes{}}}, {a})) << "a pool that lvs does not report";
}

} // namespace
} // namespace quiesced
