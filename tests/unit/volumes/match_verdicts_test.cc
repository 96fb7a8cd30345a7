// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/match_verdicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "match_machine.h"

namespace quiesced {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

Inventory overruled(const Fixture& machine, const std::vector<DiskClaim>& claims) {
    auto inventory = machine.inventory();
    inventory.overrule(verdicts_of(claims, match_disks(claims, inventory), inventory));
    return inventory;
}

DiskClaim lun(const std::string& serial) {
    DiskClaim claim;
    claim.serial = serial;
    claim.type = Placement::lun;
    return claim;
}

class Verdicts : public testing::Test {
protected:
    Verdicts() {
        machine_.virtio_disk("254:16", "vdb", "0000:00:07.0", "data-0001");
        machine_.mount("254:16", "/srv", "ext4", "/dev/vdb");
        machine_.loop(0, "/srv/image", "254:16");
        machine_.mount("7:0", "/inner", "ext4", "/dev/loop0");
        machine_.write("boot_id", "11111111-2222\n");
    }
    [[nodiscard]] PlacementVerdicts store() const { return PlacementVerdicts(machine_.path("run/quiesced"), machine_.path("boot_id")); }
    [[nodiscard]] std::string file() const { return machine_.path("run/quiesced/verdicts.json"); }
    DiskMachine machine_;
};

TEST_F(Verdicts, TheHypervisorsWordOverrulesTheGuessUpToTheVolumesInLoopFiles) {
    const auto inventory = overruled(machine_, {lun("data-0001")});
    const auto& disk = inventory.disks().at({254, 16});
    EXPECT_EQ(disk.placement, Placement::lun);
    EXPECT_EQ(disk.guess, Placement::virtual_disk);
    const auto& volume = volume_named(inventory, "/srv");
    EXPECT_EQ(volume.placement, Placement::lun);
    EXPECT_THAT(volume.evidence, ElementsAre("vdb: transport=virtio, serial=data-0001, pci=0000:00:07.0, hypervisor=lun (our guess: virtual)"));
    EXPECT_THAT(volume.leaves, ElementsAre(DeviceNumber{254, 16}));
    EXPECT_EQ(volume_named(inventory, "/inner").placement, Placement::lun);
    EXPECT_THAT(volume_named(inventory, "/inner").evidence, ElementsAre(HasSubstr("on volume /srv (lun)")));
    EXPECT_EQ(volume_named(inventory, "/").placement, Placement::virtual_disk);
}

TEST_F(Verdicts, AWordThatAgreesIsEvidenceToo) {
    auto claim = lun("data-0001");
    claim.type = Placement::virtual_disk;
    EXPECT_THAT(overruled(machine_, {claim}).disks().at({254, 16}).evidence, Contains("hypervisor=virtual"));
}

TEST_F(Verdicts, AWordThatIsTakenBackLeavesTheGuess) {
    auto inventory = overruled(machine_, {lun("data-0001")});
    inventory.overrule({});
    EXPECT_EQ(volume_named(inventory, "/srv").placement, Placement::virtual_disk);
    EXPECT_THAT(volume_named(inventory, "/srv").evidence, ElementsAre("vdb: transport=virtio, serial=data-0001, pci=0000:00:07.0"));
}

TEST_F(Verdicts, WithoutATypeOrAMatchNothingIsSaid) {
    auto untyped = lun("data-0001");
    untyped.type.reset();
    const auto inventory = machine_.inventory();
    for (const auto& claim : {untyped, lun("nobody")}) EXPECT_THAT(verdicts_of({claim}, match_disks({claim}, inventory), inventory), IsEmpty());
}

TEST_F(Verdicts, AWeakMatchIsSaidToBeOne) {
    machine_.virtio_disk("254:32", "vdc", "0000:00:08.0", "", 512);
    DiskClaim claim;
    claim.size = Bytes{512U << 20U};
    claim.type = Placement::lun;
    EXPECT_THAT(overruled(machine_, {claim}).disks().at({254, 32}).evidence, Contains("hypervisor=lun (our guess: virtual) (matched by size alone)"));
}

TEST_F(Verdicts, TheWwidOfALunBehindAVirtioDiskIsHandedOn) {
    auto claim = lun("data-0001");
    claim.wwid = "360014050000000000000000000000001";
    const auto inventory = overruled(machine_, {claim});
    const auto& disk = inventory.disks().at({254, 16});
    EXPECT_EQ(disk.wwid, kLunWwid);
    EXPECT_THAT(disk.wwids, IsEmpty()) << "the guest itself sees none";
    EXPECT_THAT(disk.evidence, Contains("wwid behind it, by the hypervisor: " + std::string(kLunWwid)));
    claim.type = Placement::virtual_disk;
    EXPECT_EQ(overruled(machine_, {claim}).disks().at({254, 16}).wwid, "");
}

TEST_F(Verdicts, ALunsWwidMayDifferFromTheOneThatTheGuestSees) {
    machine_.scsi_disk("8:0", "sda", "pci0000:00/0000:00:10.0/host2/target2:0:0", "2:0:0:0", "VMware", "Virtual disk",
                       "naa.6000c298123456789abcdef012345678");
    DiskClaim claim;
    claim.wwid = "6000c298123456789abcdef012345678";
    claim.lun_wwid = "60014050000000000000000000000001";
    claim.type = Placement::lun;
    auto inventory = overruled(machine_, {claim});
    EXPECT_EQ(inventory.disks().at({8, 0}).wwid, kLunWwid);
    const auto key = stable_key(inventory.disks().at({8, 0}));
    EXPECT_EQ(key, "wwid=6000c298123456789abcdef012345678") << "known by what the guest sees";
    EXPECT_EQ(match_disks({claim}, inventory).at(0).outcome, DiskMatch::Outcome::matched) << "and found by it again";
}

TEST_F(Verdicts, AllPathsOfALunGetIt) {
    machine_.multipath();
    DiskClaim claim;
    claim.wwid = kLunWwid;
    claim.type = Placement::virtual_disk;
    const auto inventory = overruled(machine_, {claim});
    EXPECT_EQ(volume_named(inventory, "/lun").placement, Placement::virtual_disk);
    EXPECT_THAT(volume_named(inventory, "/lun").evidence,
                ElementsAre(HasSubstr("hypervisor=virtual (our guess: lun)"), HasSubstr("hypervisor=virtual (our guess: lun)")));
}

TEST_F(Verdicts, ADiskWithoutANameIsKnownByItsAppearance) {
    machine_.virtio_disk("254:32", "vdc", "0000:00:08.0", "", 512);
    machine_.attribute("254:32", "diskseq", "17");
    const auto first = stable_key(machine_.inventory().disks().at({254, 32}));
    EXPECT_THAT(first, HasSubstr("seq=17"));
    machine_.attribute("254:32", "diskseq", "18");
    EXPECT_NE(stable_key(machine_.inventory().disks().at({254, 32})), first) << "another disk in the same place";
}

TEST_F(Verdicts, ASerialOfAnyBytesMakesAKey) {
    Disk disk;
    disk.serial = "a\xff\"%";
    EXPECT_EQ(stable_key(disk), "serial=a%ff\"%25,pci=,ctl=");
}

TEST_F(Verdicts, ARestartKeepsThemAndABootDoesNot) {
    auto first = store();
    EXPECT_TRUE(first.load()) << "nothing there yet";
    ASSERT_TRUE(first.record({{"wwid=1", {.type = Placement::lun, .lun_wwid = "naa.6", .weak = true}}, {"wwid=2", {}}}, false));
    auto second = store();
    ASSERT_TRUE(second.load());
    EXPECT_EQ(second.all(), first.all());
    EXPECT_THAT(second.all(), SizeIs(2));
    machine_.write("boot_id", "33333333-4444\n");
    ASSERT_TRUE(second.load());
    EXPECT_THAT(second.all(), IsEmpty());
}

TEST_F(Verdicts, NewOnesAreAddedOrTakeThePlaceOfAll) {
    auto verdicts = store();
    ASSERT_TRUE(verdicts.record({{"a", {}}}, false));
    ASSERT_TRUE(verdicts.record({{"a", {.type = Placement::lun, .lun_wwid = {}, .weak = false}}, {"b", {}}}, false));
    EXPECT_THAT(verdicts.all(), SizeIs(2));
    EXPECT_EQ(verdicts.all().at("a").type, Placement::lun);
    ASSERT_TRUE(verdicts.record({{"c", {}}}, true));
    EXPECT_THAT(verdicts.all(), SizeIs(1));
    auto again = store();
    ASSERT_TRUE(again.load());
    EXPECT_TRUE(again.all().contains("c"));
}

TEST_F(Verdicts, ADamagedFileIsAnErrorAndThenReplaced) {
    for (const auto* content : {"", "{", "[]", "{}", R"({"version":2,"boot":"11111111-2222","verdicts":{}})",
                                R"({"version":1,"boot":"11111111-2222","verdicts":[]})", R"({"version":1,"boot":"11111111-2222","verdicts":{"a":1}})",
                                R"({"version":1,"boot":"11111111-2222","verdicts":{"a":{"type":"mixed"}}})"}) {
        machine_.write("run/quiesced/verdicts.json", content);
        auto verdicts = store();
        const auto loaded = verdicts.load();
        ASSERT_FALSE(loaded) << content;
        EXPECT_EQ(loaded.error().kind, ErrorKind::io);
        EXPECT_THAT(loaded.error().message(), HasSubstr("MatchDisks"));
        EXPECT_THAT(verdicts.all(), IsEmpty());
        ASSERT_TRUE(verdicts.record({{"b", {}}}, false));
        EXPECT_TRUE(verdicts.load());
    }
}

TEST_F(Verdicts, WhatCannotBeKeptIsNotBelieved) {
    machine_.write("run", "a file where a folder should be");
    auto verdicts = store();
    EXPECT_FALSE(verdicts.record({{"a", {}}}, false));
    EXPECT_THAT(verdicts.all(), IsEmpty());
}

TEST_F(Verdicts, ThereIsALimit) {
    PlacementVerdicts verdicts;
    PlacementVerdicts::Verdicts many;
    for (std::size_t i = 0; i <= PlacementVerdicts::kMost; ++i) many[std::to_string(i)] = {};
    const auto recorded = verdicts.record(many, false);
    ASSERT_FALSE(recorded);
    EXPECT_EQ(recorded.error().kind, ErrorKind::limit);
    many.erase(many.begin());
    EXPECT_TRUE(verdicts.record(many, false));
    EXPECT_FALSE(verdicts.record({{"one more", {}}}, false));
    EXPECT_TRUE(verdicts.record({{"one more", {}}}, true));
}

} // namespace
} // namespace quiesced
