// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_provider.h"

#include <gmock/gmock.h>

#include "../claims.h"
#include "dm_twin.h"
#include "snapshot/dm_names.h"
#include "snapshot/lvm_provider.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kSectors = (1ULL << 30U) / kSectorSize;

class DmProviderTest : public testing::Test {
protected:
    DmProviderTest() {
        put("/linear", "linear", "", {{0, kSectors, "linear", "8:0 2048"}});
        put("/luks1", "luks1", "CRYPT-LUKS1-0123-luks1", {{0, kSectors, "crypt", "aes 00ff 0 8:1 4096"}});
        put("/luks2", "luks2", "CRYPT-LUKS2-0123-luks2", {{0, kSectors, "crypt", "aes :64:logon:cryptsetup:x 0 8:1 4096"}});
        put("/lv", "vg-lv", "LVM-0123", {{0, kSectors, "linear", "8:0 2048"}});
        put_plain("/partition", BlockNode::Kind::partition);
        put_plain("/disk", BlockNode::Kind::disk);
        auto& both = put("/several", "other", "", {{0, kSectors, "linear", "8:0 2048"}});
        both.devices.push_back(both.devices.front());
        inventory_ = Inventory({}, BlockGraph(nodes_), {});
        provider_.set_store_group("vg");
    }

    Volume& add(const BlockNode& node, const std::string& name) {
        nodes_[node.number] = node;
        auto& volume = *volumes_.emplace_back(std::make_unique<Volume>());
        volume.name = name;
        volume.file_system = "ext4";
        volume.devices = {node.number};
        volume.device_path = node.dm_name.empty() ? "/dev/sda" : "/dev/mapper/" + node.dm_name;
        return volume;
    }
    Volume& put(const std::string& name, const std::string& dm_name, const std::string& dm_uuid, const std::vector<DmTarget>& targets) {
        BlockNode node;
        node.number = devices_->add(dm_name, dm_uuid, targets);
        node.kind = BlockNode::Kind::device_mapper;
        node.dm_name = dm_name;
        node.dm_uuid = dm_uuid;
        return add(node, name);
    }
    void put_plain(const std::string& name, BlockNode::Kind kind) {
        BlockNode node;
        node.number = {8, static_cast<std::uint32_t>(nodes_.size())};
        node.kind = kind;
        add(node, name);
    }

    std::vector<const Volume*> all() const {
        std::vector<const Volume*> result;
        for (const auto& volume : volumes_) result.push_back(volume.get());
        return result;
    }
    std::vector<SnapshotRecord> finished_set() {
        auto session = provider_.begin(set_, {volumes_[0].get(), volumes_[1].get()}, inventory_);
        EXPECT_TRUE(session && (*session)->arm());
        for (const auto& chain : (*session)->chains()) EXPECT_TRUE(devices_->run(chain.fire));
        return (*session)->finish().value();
    }

    const SetId set_ = SetId::parse("0123456789abcdef").value();
    std::shared_ptr<TwinDmTables> tables_ = std::make_shared<TwinDmTables>();
    std::shared_ptr<TwinDmDevices> devices_ = std::make_shared<TwinDmDevices>(tables_);
    std::shared_ptr<TwinLvm> lvm_ = std::make_shared<TwinLvm>(tables_);
    DmProvider provider_{lvm_, devices_};
    std::map<DeviceNumber, BlockNode> nodes_;
    std::vector<std::unique_ptr<Volume>> volumes_;
    Inventory inventory_;
};

TEST_F(DmProviderTest, ItTakesDeviceMapperDevicesThatAreNotLvms) {
    EXPECT_THAT(taken(provider_.claim(all(), inventory_)), ElementsAre(0, 1));
    EXPECT_THAT(lvm_->calls, IsEmpty());
}

TEST_F(DmProviderTest, EveryClaimSaysWhy) {
    const auto claims = provider_.claim(all(), inventory_);
    EXPECT_EQ(claims.at(0).reason, "linear is a device-mapper device (linear); its store goes to the volume group vg");
    EXPECT_THAT(claims.at(1).reason, HasSubstr("(dm-crypt)"));
    EXPECT_THAT(claims.at(2).reason, HasSubstr("keyring"));
    EXPECT_THAT(claims.at(3).reason, HasSubstr("LVM's"));
    EXPECT_THAT(claims.at(4).reason, HasSubstr("a plain partition"));
    EXPECT_THAT(claims.at(5).reason, HasSubstr("a whole disk"));
    EXPECT_THAT(claims.at(6).reason, HasSubstr("2 devices"));
}

TEST_F(DmProviderTest, WithoutAGroupForTheStoresItTakesNothingAndSaysWhatToConfigure) {
    provider_.set_store_group("");
    const auto claims = provider_.claim(all(), inventory_);
    EXPECT_THAT(taken(claims), IsEmpty());
    EXPECT_THAT(claims.at(0).reason, AllOf(HasSubstr("store_group"), HasSubstr("quiesced.conf")));
    EXPECT_THAT(claims.at(4).reason, HasSubstr("a plain partition")) << "no configuration would help";
}

TEST_F(DmProviderTest, AnOriginWithASnapshotOfOursIsTakenAgain) {
    finished_set();
    EXPECT_THAT(taken(provider_.claim(all(), inventory_)), ElementsAre(0, 1));
}

TEST_F(DmProviderTest, AFinishedSetIsMappedWatchedAndRemoved) {
    const auto records = finished_set();
    const auto mapped = provider_.map(set_, records);
    ASSERT_TRUE(mapped) << mapped.error().message();
    EXPECT_EQ(mapped->front().device, "/dev/mapper/linear-q0123456789abcdef");
    const auto fills = provider_.fills(records);
    ASSERT_THAT(fills, SizeIs(2));
    EXPECT_EQ(fills[0].name, "vg/q0123456789abcdef-0");
    EXPECT_EQ(fills[0].lost, "");
    ASSERT_TRUE(provider_.remove(set_, records));
    EXPECT_THAT(lvm_->names(), IsEmpty());
    EXPECT_EQ(devices_->shown(volumes_[0]->devices.front()), "0 2097152 linear 8:0 2048");
    EXPECT_TRUE(provider_.remove(set_, records)) << "what is gone is no error";
}

TEST_F(DmProviderTest, AStoreIsExtendedUpToWhatItCanUse) {
    constexpr std::uint64_t mebi = 1ULL << 20U;
    lvm_->free = Bytes{4096 * mebi};
    const auto records = finished_set();
    const auto fill = provider_.fills(records).at(0);
    const auto begun = lvm_->find("q0123456789abcdef-0")->size;
    EXPECT_EQ(begun, Bytes{512 * mebi});
    const auto done = provider_.extend(records.at(0), fill, 50);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->from, begun);
    EXPECT_EQ(lvm_->find("q0123456789abcdef-0")->size, done->to);
    EXPECT_GE(done->to, Bytes{768 * mebi});
    ASSERT_TRUE(provider_.extend(records.at(0), fill, 200));
    EXPECT_EQ(lvm_->find("q0123456789abcdef-0")->size, Bytes{1032 * mebi}) << "1 GiB in chunks of 4 KiB, and their tables";
    const auto again = provider_.extend(records.at(0), fill, 200);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->from, again->to) << "it cannot overflow";
    devices_->reboot();
    EXPECT_EQ(provider_.extend(records.at(0), fill, 50).error().kind, ErrorKind::no_such_volume);
}

TEST_F(DmProviderTest, NothingIsPutBackAndTheReasonSaysWhatToDo) {
    const auto records = finished_set();
    for (const auto& refused : {provider_.check_revert(set_, records), provider_.revert(set_, records)}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
        EXPECT_THAT(refused.error().message(), AllOf(HasSubstr("/linear lies on"), HasSubstr("quiescectl mount")));
    }
}

TEST_F(DmProviderTest, AfterARebootTheSnapshotIsLostAndDeleteRemovesTheStore) {
    const auto records = finished_set();
    devices_->reboot();
    const auto fills = provider_.fills(records);
    ASSERT_THAT(fills, SizeIs(2));
    EXPECT_THAT(fills[0].lost, HasSubstr("reboot"));
    const auto mapped = provider_.map(set_, records);
    ASSERT_FALSE(mapped);
    EXPECT_EQ(mapped.error().kind, ErrorKind::no_such_volume);
    ASSERT_TRUE(provider_.remove(set_, records));
    EXPECT_THAT(lvm_->names(), IsEmpty());
}

TEST_F(DmProviderTest, AnOriginThatGotAnotherTableLosesItsSnapshotAndOneThatIsClosedDoesNot) {
    const auto records = finished_set();
    tables_->devices.erase("CRYPT-LUKS1-0123-luks1");
    ASSERT_TRUE(devices_->load(volumes_[0]->devices.front(), {0, kSectors, "linear", "8:0 2048"}, false));
    ASSERT_TRUE(devices_->activate(volumes_[0]->devices.front()));
    const auto fills = provider_.fills(records);
    ASSERT_THAT(fills, SizeIs(2));
    EXPECT_THAT(fills[0].lost, HasSubstr("another table"));
    EXPECT_EQ(fills[1].lost, "");
}

TEST_F(DmProviderTest, SnapshotsAreFoundWithoutAManifest) {
    finished_set();
    const auto found = provider_.find_all();
    ASSERT_TRUE(found) << found.error().message();
    ASSERT_THAT(*found, SizeIs(2));
    EXPECT_EQ(found->at(0).record.volume, "/linear");
    EXPECT_EQ(found->at(0).origin, "/dev/mapper/linear");
    EXPECT_TRUE(found->at(0).cut);
    std::vector<SnapshotRecord> records;
    for (const auto& snapshot : *found) records.push_back(snapshot.record);
    EXPECT_TRUE(provider_.map(set_, records));
    devices_->reboot();
    ASSERT_THAT(provider_.find_all().value(), SizeIs(2)) << "the stores are still there to be deleted";
}

TEST_F(DmProviderTest, LvmLeavesTheStoresOfALostSetToIt) {
    finished_set();
    LvmProvider lvm(lvm_, tables_);
    ASSERT_TRUE(lvm.abandon(set_));
    EXPECT_THAT(lvm_->names(), SizeIs(2));
    EXPECT_THAT(lvm.find_all().value(), IsEmpty());
    ASSERT_TRUE(provider_.abandon(set_));
    EXPECT_THAT(lvm_->names(), IsEmpty());
}

} // namespace
} // namespace quiesced
