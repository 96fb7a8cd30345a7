// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "match_machine.h"
#include "volumes/disk_vendor.h"

namespace quiesced {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(Placement, PathsOfAMultipathDeviceLearnItsName) {
    DiskMachine machine;
    machine.multipath();
    const auto inventory = machine.inventory();
    for (const auto minor : {0U, 16U}) {
        const auto& disk = inventory.disks().at({8, minor});
        EXPECT_EQ(disk.multipath, "mpatha");
        EXPECT_THAT(disk.evidence, Contains("multipath=mpatha"));
    }
    EXPECT_EQ(volume_named(inventory, "/lun").placement, Placement::lun);
}

TEST(Placement, SeveralPathsToAnUnknownMakersWwidLeadToALun) {
    DiskMachine machine;
    const std::string wwid = "naa.6abcdef0000000000000000000000001";
    machine.scsi_disk("8:0", "sda", "pci0000:00/0000:00:05.0/host0/target0:0:0", "0:0:0:0", "ACME", "Box", wwid);
    EXPECT_EQ(machine.inventory().disks().at({8, 0}).placement, Placement::virtual_disk);
    machine.dm("253:0", "mpatha", "mpath-36abcdef0000000000000000000000001", {"8:0"});
    const auto inventory = machine.inventory();
    EXPECT_EQ(inventory.disks().at({8, 0}).placement, Placement::lun);
    EXPECT_THAT(inventory.disks().at({8, 0}).evidence, Contains("several paths lead to its WWID"));
}

TEST(Placement, AHypervisorsDiskBelowAMultipathDeviceStaysVirtual) {
    DiskMachine machine;
    machine.scsi_disk("8:0", "sda", "pci0000:00/0000:00:05.0/virtio9/host0/target0:0:0", "0:0:0:0", "QEMU", "QEMU HARDDISK", "naa.5000c50015ea71aa");
    machine.dm("253:0", "mpatha", "mpath-35000c50015ea71aa", {"8:0"});
    EXPECT_EQ(machine.inventory().disks().at({8, 0}).placement, Placement::virtual_disk);
}

TEST(Placement, PlacingTwiceIsPlacingOnce) {
    DiskMachine machine;
    machine.multipath();
    const auto inventory = machine.inventory();
    auto volumes = inventory.volumes();
    auto disks = inventory.disks();
    std::vector<std::string> problems;
    place_volumes(volumes, inventory.graph(), disks, problems);
    for (std::size_t i = 0; i < volumes.size(); ++i) {
        EXPECT_EQ(volumes[i].evidence, inventory.volumes()[i].evidence);
        EXPECT_EQ(volumes[i].leaves, inventory.volumes()[i].leaves);
        EXPECT_EQ(volumes[i].placement, inventory.volumes()[i].placement);
    }
}

struct Named {
    const char* vendor;
    const char* model;
    DiskMaker maker;
};

TEST(DiskVendor, DisksAreKnownByTheirVendorAndModel) {
    const auto hypervisor = DiskMaker::hypervisor;
    const auto array = DiskMaker::array;
    const auto local = DiskMaker::local;
    for (const auto& [vendor, model, maker] : std::vector<Named>{
             {"QEMU", "QEMU HARDDISK", hypervisor}, {"VMware", "Virtual disk", hypervisor}, {"VMware,", "VMware Virtual S", hypervisor},
             {"Msft", "Virtual Disk", hypervisor}, {"MSFT", "Virtual HD", array}, {"ATA", "VBOX HARDDISK", hypervisor},
             {"ATA", "QEMU HARDDISK", hypervisor}, {"ATA", "Samsung SSD 870", local}, {"", "QEMU NVMe Ctrl", hypervisor},
             {"", "VMware Virtual NVMe Disk", hypervisor}, {"", "ORCL-VBOX-NVME-VER12", hypervisor}, {"", "Amazon Elastic Block Store", hypervisor},
             {"", "Amazon EC2 NVMe Instance Storage", hypervisor}, {"", "nvme_card-pd", hypervisor}, {"", "MSFT NVMe Accelerator v1.0", hypervisor},
             {"Google", "PersistentDisk", hypervisor}, {"NUTANIX", "VDISK", hypervisor}, {"ORACLE", "BlockVolume", hypervisor},
             {"AIX", "VDASD", hypervisor}, {"", "Pure Storage FlashArray", array}, {"", "Samsung SSD 990 PRO", DiskMaker::unknown},
             {"NETAPP", "LUN C-Mode", array}, {"DGC", "VRAID", array}, {"EMC", "SYMMETRIX", array}, {"DellEMC", "PowerStore", array},
             {"DELL", "MD38xxf", array}, {"DELL", "PERC H740P Mini", local}, {"HITACHI", "OPEN-V", array}, {"HITACHI", "HUS156060VLS600", DiskMaker::unknown},
             {"IBM", "2145", array}, {"IBM", "2107900", array}, {"IBM", "ServeRAID M5110", local}, {"3PARdata", "VV", array}, {"PURE", "FlashArray", array},
             {"HPE", "MSA 2060 FC", array}, {"HP", "LOGICAL VOLUME", local}, {"HPE", "EG001200JWJNQ", DiskMaker::unknown}, {"HUAWEI", "XSG1", array},
             {"NFINIDAT", "InfiniBox", array}, {"COMPELNT", "Compellent Vol", array}, {"Nimble", "Server", array}, {"LIO-ORG", "array", array},
             {"FUJITSU", "ETERNUS_DXL", array}, {"FUJITSU", "MBA3147RC", DiskMaker::unknown}, {"netapp", "lun", array}, {"ACME", "Box", DiskMaker::unknown}})
        EXPECT_EQ(maker_by_name(vendor, model), maker) << vendor << " " << model;
}

TEST(DiskVendor, ACompanyIsKnownByItsIdInTheWwid) {
    EXPECT_EQ(maker_by_wwid("naa.6000c298123456789abcdef012345678"), DiskMaker::hypervisor);
    EXPECT_EQ(maker_by_wwid("naa.60022480aaaaaaaaaaaaaaaaaaaaaaaa"), DiskMaker::hypervisor);
    for (const auto* wwid : {"naa.60014051", "naa.600a098012", "naa.60060160", "naa.60000970", "naa.68ccf098", "naa.514f0c5123", "naa.6000d310", "naa.60002ac0",
                             "naa.600c0ff0", "naa.624a9370", "naa.60060e80", "naa.60050768", "naa.6742b0f0", "naa.600000e0", "naa.6589cfc0", "NAA.60080E50"})
        EXPECT_EQ(maker_by_wwid(wwid), DiskMaker::array) << wwid;
    for (const auto* wwid : {"", "naa.", "naa.6", "naa.6123456", "eui.6001405", "naa.3001405", "t10.x"}) EXPECT_EQ(maker_by_wwid(wwid), DiskMaker::unknown) << wwid;
}

} // namespace
} // namespace quiesced
