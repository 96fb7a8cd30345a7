// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/match.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "match_machine.h"

namespace quiesced {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Outcome = DiskMatch::Outcome;

constexpr std::uint64_t kMebibyte = 1U << 20U;

DiskClaim claim(const std::function<void(DiskClaim&)>& fill) {
    DiskClaim made;
    made.id = "disk-1";
    fill(made);
    return made;
}

DiskMatch match(const Fixture& machine, const std::function<void(DiskClaim&)>& fill) {
    auto matches = match_disks({claim(fill)}, machine.inventory());
    EXPECT_THAT(matches, SizeIs(1));
    EXPECT_EQ(matches.at(0).id, "disk-1");
    return matches.at(0);
}

class Match : public testing::Test {
protected:
    Match() {
        machine_.virtio_disk("254:16", "vdb", "0000:00:07.0", "data-0001", 4096);
        machine_.mount("254:16", "/srv", "ext4", "/dev/vdb");
    }
    DiskMachine machine_;
};

TEST_F(Match, ASerialFindsItsDisk) {
    const auto found = match(machine_, [](auto& c) { c.serial = "DATA-0001"; });
    EXPECT_EQ(found.outcome, Outcome::matched);
    EXPECT_EQ(found.device, (DeviceNumber{254, 16}));
    EXPECT_THAT(found.paths, ElementsAre(DeviceNumber{254, 16}));
    EXPECT_THAT(found.matched_on, ElementsAre("serial=data-0001"));
    EXPECT_FALSE(found.weak);
    EXPECT_EQ(found.reason, "");
    EXPECT_THAT(found.contradictions, IsEmpty());
}

TEST_F(Match, AVirtioSerialMayHaveBeenCut) {
    machine_.virtio_disk("254:32", "vdc", "0000:00:08.0", "c2f2a7c6-3b1e-4d2a-9");
    const auto found = match(machine_, [](auto& c) { c.virtio_serial = "c2f2a7c6-3b1e-4d2a-9f00-123456789abc"; });
    EXPECT_EQ(found.device, (DeviceNumber{254, 32}));
    EXPECT_THAT(found.matched_on, ElementsAre("virtio_serial=c2f2a7c6-3b1e-4d2a-9"));
}

TEST_F(Match, TwoDisksWhoseCutSerialsAreTheSameAreAmbiguous) {
    machine_.virtio_disk("254:32", "vdc", "0000:00:08.0", "volume-0000000000000");
    machine_.virtio_disk("254:48", "vdd", "0000:00:09.0", "volume-0000000000000");
    const auto found = match(machine_, [](auto& c) { c.virtio_serial = "volume-0000000000000001"; });
    EXPECT_EQ(found.outcome, Outcome::ambiguous);
    EXPECT_THAT(found.candidates, ElementsAre("/dev/vdc", "/dev/vdd"));
    EXPECT_THAT(found.reason, HasSubstr("2 disks fit: they have the same serial or WWID"));
    EXPECT_THAT(found.paths, IsEmpty());
    const auto told_apart = match(machine_, [](auto& c) { c.virtio_serial = "volume-0000000000000001", c.pci = "00:09.0"; });
    EXPECT_EQ(told_apart.device, (DeviceNumber{254, 48}));
    EXPECT_THAT(told_apart.matched_on, ElementsAre("virtio_serial=volume-0000000000000", "pci=00:09.0"));
}

TEST_F(Match, AllFactsMustAgreeAndTheOneThatDoesNotIsNamed) {
    const auto found = match(machine_, [](auto& c) { c.serial = "data-0001", c.pci = "0000:00:08.0", c.size = Bytes{kMebibyte}; });
    EXPECT_EQ(found.outcome, Outcome::none);
    EXPECT_THAT(found.reason, HasSubstr("something contradicts it"));
    EXPECT_THAT(found.contradictions,
                ElementsAre("/dev/vdb has its serial=data-0001, but its pci is 0000:00:07.0, not 0000:00:08.0 and its size is 4294967296, not 1048576"));
}

TEST_F(Match, WhatNoDiskHasMatchesNone) {
    const auto found = match(machine_, [](auto& c) { c.wwid = "0x60014050000000000000000000000009"; });
    EXPECT_EQ(found.outcome, Outcome::none);
    EXPECT_EQ(found.reason, "No disk of this guest agrees with what was said.");
    EXPECT_THAT(match(machine_, [](auto&) {}).reason, HasSubstr("Nothing was said"));
    EXPECT_THAT(match(machine_, [](auto& c) { c.type = Placement::lun; }).reason, HasSubstr("Nothing was said"));
}

TEST_F(Match, AFactThatTheDiskDoesNotTellNeitherAgreesNorContradicts) {
    const auto found = match(machine_, [](auto& c) { c.serial = "data-0001", c.wwid = kLunWwid, c.hctl = "0:0:0:0"; });
    EXPECT_EQ(found.outcome, Outcome::matched);
    EXPECT_THAT(found.unknown, ElementsAre("wwid", "hctl"));
}

TEST_F(Match, SizeAloneMatchesOnlyADiskThatAloneHasIt) {
    const auto found = match(machine_, [](auto& c) { c.size = Bytes{4096 * kMebibyte}; });
    EXPECT_EQ(found.outcome, Outcome::matched);
    EXPECT_TRUE(found.weak);
    EXPECT_THAT(found.reason, HasSubstr("a weak match"));
    EXPECT_THAT(found.matched_on, ElementsAre("size=4294967296"));

    machine_.virtio_disk("254:32", "vdc", "0000:00:08.0", "", 4096);
    const auto two = match(machine_, [](auto& c) { c.size = Bytes{4096 * kMebibyte}; });
    EXPECT_EQ(two.outcome, Outcome::ambiguous);
    EXPECT_THAT(two.candidates, ElementsAre("/dev/vdb", "/dev/vdc"));
    EXPECT_THAT(two.reason, HasSubstr("nothing else tells them apart"));
}

TEST_F(Match, ASerialThatNoDiskHasIsNotOverlookedForTheSize) {
    const auto found = match(machine_, [](auto& c) { c.serial = "other", c.size = Bytes{4096 * kMebibyte}; });
    EXPECT_EQ(found.outcome, Outcome::none);
}

TEST_F(Match, ADiskThatAnotherEntryNamesIsNotMatchedBySize) {
    const auto matches = match_disks({claim([](auto& c) { c.size = Bytes{4096 * kMebibyte}; }), claim([](auto& c) { c.serial = "data-0001"; })},
                                     machine_.inventory());
    EXPECT_EQ(matches.at(0).outcome, Outcome::none);
    EXPECT_THAT(matches.at(0).reason, HasSubstr("is /dev/vdb, and that is entry 1 of the request"));
    EXPECT_THAT(matches.at(0).paths, IsEmpty());
    EXPECT_EQ(matches.at(1).outcome, Outcome::matched);
}

TEST_F(Match, TwoEntriesForOneDiskAreAmbiguousBoth) {
    const auto matches = match_disks({claim([](auto& c) { c.serial = "data-0001"; }), claim([](auto& c) { c.serial = "root"; }),
                                      claim([](auto& c) { c.pci = "00:07.0"; })},
                                     machine_.inventory());
    EXPECT_EQ(matches.at(0).outcome, Outcome::ambiguous);
    EXPECT_THAT(matches.at(0).reason, HasSubstr("entry 2 of the request"));
    EXPECT_THAT(matches.at(0).candidates, ElementsAre("/dev/vdb"));
    EXPECT_EQ(matches.at(1).outcome, Outcome::matched);
    EXPECT_EQ(matches.at(2).outcome, Outcome::ambiguous);
    EXPECT_THAT(matches.at(2).reason, HasSubstr("entry 0 of the request"));
}

TEST_F(Match, DisksOfOneScsiControllerShareItsAddress) {
    const std::string host = "pci0000:00/0000:00:05.0/virtio9/host0/target0:0:";
    machine_.scsi_disk("8:0", "sda", host + "0", "0:0:0:0", "QEMU", "QEMU HARDDISK", "", 100);
    machine_.scsi_disk("8:16", "sdb", host + "1", "0:0:1:0", "QEMU", "QEMU HARDDISK", "", 100);
    const auto both = match(machine_, [](auto& c) { c.pci = "0000:00:05.0"; });
    EXPECT_EQ(both.outcome, Outcome::ambiguous);
    EXPECT_THAT(both.candidates, ElementsAre("/dev/sda", "/dev/sdb"));
    EXPECT_THAT(both.reason, HasSubstr("same address"));
    const auto one = match(machine_, [](auto& c) { c.pci = "0000:00:05.0", c.hctl = "*:0:1:0"; });
    EXPECT_EQ(one.device, (DeviceNumber{8, 16}));
    EXPECT_EQ(match(machine_, [](auto& c) { c.hctl = "1:0:1:0"; }).outcome, Outcome::none) << "another host";
}

TEST_F(Match, ANameGoesBeforeAnAddress) {
    const std::string host = "pci0000:00/0000:00:05.0/virtio9/host0/target0:0:";
    machine_.scsi_disk("8:0", "sda", host + "0", "0:0:0:0", "QEMU", "QEMU HARDDISK");
    machine_.scsi_disk("8:16", "sdb", host + "1", "0:0:1:0", "QEMU", "QEMU HARDDISK", "naa.5000c50015ea71aa");
    const auto found = match(machine_, [](auto& c) { c.pci = "0000:00:05.0", c.wwid = "5000C50015EA71AA"; });
    EXPECT_EQ(found.device, (DeviceNumber{8, 16})) << "sda shows no WWID, and has the address, too";
}

TEST_F(Match, AVmwareUuidIsFoundAsTheSerialAndAsTheWwid) {
    machine_.scsi_disk("8:0", "sda", "pci0000:00/0000:00:10.0/host2/target2:0:0", "2:0:0:0", "VMware  ", "Virtual disk",
                       "naa.6000c298123456789abcdef012345678");
    const auto found = match(machine_, [](auto& c) { c.serial = "6000C298-1234-5678-9abc-def012345678"; });
    EXPECT_EQ(found.device, (DeviceNumber{8, 0}));
    EXPECT_THAT(found.matched_on, ElementsAre("wwid=naa.6000c298123456789abcdef012345678"));
}

TEST_F(Match, ATextSaysNothingAgainstANumber) {
    machine_.scsi_disk("8:0", "sda", "pci0000:00/0000:00:05.0/virtio9/host0/target0:0:0", "0:0:0:0", "QEMU", "QEMU HARDDISK",
                       "t10.QEMU    QEMU HARDDISK   drive-1");
    EXPECT_THAT(match(machine_, [](auto& c) { c.hctl = "0:0:0:0", c.wwid = kLunWwid; }).unknown, ElementsAre("wwid"));
    EXPECT_EQ(match(machine_, [](auto& c) { c.wwid = "t10.QEMU QEMU HARDDISK drive-1"; }).outcome, Outcome::matched);
    EXPECT_EQ(match(machine_, [](auto& c) { c.hctl = "0:0:0:0", c.wwid = "t10.QEMU other"; }).outcome, Outcome::none);
}

TEST_F(Match, PathsToOneLunAreTheMultipathDevice) {
    machine_.multipath();
    const auto found = match(machine_, [](auto& c) { c.wwid = "360014050000000000000000000000001"; });
    EXPECT_EQ(found.outcome, Outcome::matched);
    EXPECT_EQ(found.device, (DeviceNumber{253, 0}));
    EXPECT_THAT(found.paths, ElementsAre(DeviceNumber{8, 0}, DeviceNumber{8, 16}));
    EXPECT_EQ(found.reason, "");
    EXPECT_THAT(volumes_on(found.paths, machine_.inventory()), ElementsAre("/lun"));
    EXPECT_EQ(match(machine_, [](auto& c) { c.hctl = "3:0:0:3"; }).device, (DeviceNumber{253, 0})) << "by either path";
}

TEST_F(Match, PathsWithoutAMultipathDeviceAreOneDiskToo) {
    machine_.iscsi_disk("8:0", "sda", 1, 3, kLunWwid);
    machine_.iscsi_disk("8:16", "sdb", 2, 3, kLunWwid);
    const auto found = match(machine_, [](auto& c) { c.wwid = kLunWwid; });
    EXPECT_EQ(found.outcome, Outcome::matched);
    EXPECT_EQ(found.device, (DeviceNumber{8, 0}));
    EXPECT_THAT(found.reason, HasSubstr("2 paths lead to it, and no multipath device"));
}

TEST_F(Match, VirtualDisksWithOneWwidAreNotPaths) {
    const std::string host = "pci0000:00/0000:00:05.0/virtio9/host0/target0:0:";
    machine_.scsi_disk("8:0", "sda", host + "0", "0:0:0:0", "QEMU", "QEMU HARDDISK", "naa.5000c50015ea71aa");
    machine_.scsi_disk("8:16", "sdb", host + "1", "0:0:1:0", "QEMU", "QEMU HARDDISK", "naa.5000c50015ea71aa");
    EXPECT_EQ(match(machine_, [](auto& c) { c.wwid = "5000c50015ea71aa"; }).outcome, Outcome::ambiguous);
}

TEST_F(Match, ATypeThatIsNotOurGuessIsAContradictionAndStillAMatch) {
    const auto found = match(machine_, [](auto& c) { c.serial = "data-0001", c.type = Placement::lun; });
    EXPECT_EQ(found.outcome, Outcome::matched);
    EXPECT_THAT(found.contradictions, ElementsAre(AllOf(HasSubstr("The hypervisor says lun, this guest's own facts say virtual"),
                                                        HasSubstr("transport=virtio"), HasSubstr("the hypervisor's word counts"))));
    EXPECT_THAT(match(machine_, [](auto& c) { c.serial = "data-0001", c.type = Placement::virtual_disk; }).contradictions, IsEmpty());
}

TEST_F(Match, LoopDevicesAreNoDisksAndTheirVolumesLieOnTheOnesBelow) {
    machine_.loop(0, "/srv/image", "254:16");
    machine_.mount("7:0", "/inner", "ext4", "/dev/loop0");
    const auto found = match(machine_, [](auto& c) { c.serial = "data-0001"; });
    EXPECT_THAT(volumes_on(found.paths, machine_.inventory()), ElementsAre("/srv", "/inner"));
    EXPECT_EQ(match(machine_, [](auto& c) { c.size = Bytes{1024 * kMebibyte}; }).device, (DeviceNumber{254, 0})) << "the loop device has that size, too";
}

TEST_F(Match, EmptyAndManyClaimsKeepTheirOrder) {
    EXPECT_THAT(match_disks({}, machine_.inventory()), IsEmpty());
    std::vector<DiskClaim> claims(1024, claim([](auto& c) { c.serial = "nobody"; }));
    claims[1000].serial = "data-0001";
    const auto matches = match_disks(claims, machine_.inventory());
    ASSERT_THAT(matches, SizeIs(1024));
    EXPECT_EQ(matches[1000].outcome, Outcome::matched);
    EXPECT_EQ(matches[999].outcome, Outcome::none);
}

TEST_F(Match, AddressesThatAreNoneAreRefused) {
    EXPECT_TRUE(check_claim(claim([](auto& c) { c.pci = "00:07.0", c.hctl = "*:0:0:1"; })));
    EXPECT_TRUE(check_claim({}));
    const auto pci = check_claim(claim([](auto& c) { c.pci = "slot 4"; }));
    ASSERT_FALSE(pci);
    EXPECT_EQ(pci.error().kind, ErrorKind::invalid_argument);
    EXPECT_THAT(pci.error().message(), HasSubstr("pci is 'slot 4', which is no PCI address"));
    EXPECT_THAT(check_claim(claim([](auto& c) { c.hctl = "scsi0"; })).error().message(), HasSubstr("hctl is 'scsi0'"));
}

} // namespace
} // namespace quiesced
