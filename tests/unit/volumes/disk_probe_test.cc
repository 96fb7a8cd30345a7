// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/disk_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace quiesced {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

Disk probe(const Fixture& fixture, DeviceNumber number) {
    const auto graph = BlockGraph::read(fixture.sysfs(), fixture.probe()).value();
    return probe_disk(*graph.find(number), fixture.sysfs()).value();
}

/// A SCSI disk: its "device" is the SCSI device two folders up.
void scsi(Fixture& fixture, const std::string& number, const std::string& host, const std::string& hctl,
          const std::string& vendor, const std::string& model) {
    fixture.block(number, host + "/" + hctl + "/block/sda");
    const auto device = "sys/devices/" + host + "/" + hctl;
    fixture.write(device + "/vendor", vendor + "\n");
    fixture.write(device + "/model", model + "\n");
    std::filesystem::create_directory_symlink("../..", fixture.path(device + "/block/sda/device"));
}

TEST(DiskProbe, AVirtioDiskIsVirtualByItsTransport) {
    Fixture fixture;
    fixture.virtio("254:0", "vda", "root-disk");
    fixture.attribute("254:0", "device/vendor", "0x1af4");
    const auto disk = probe(fixture, {254, 0});
    EXPECT_EQ(disk.placement, Placement::virtual_disk);
    EXPECT_EQ(disk.transport, "virtio");
    EXPECT_EQ(disk.serial, "root-disk");
    EXPECT_EQ(disk.pci, "0000:00:04.0");
    EXPECT_EQ(disk.vendor, "");
    EXPECT_EQ(disk.lun, -1);
    EXPECT_THAT(disk.evidence, Contains("transport=virtio"));
    EXPECT_THAT(disk.evidence, Contains("serial=root-disk"));
}

TEST(DiskProbe, ADiskBehindAnIscsiSessionIsALunWithItsTarget) {
    Fixture fixture;
    scsi(fixture, "8:0", "platform/host2/session1/target2:0:0", "2:0:0:3", "LIO-ORG ", "array           ");
    fixture.write("sys/class/iscsi_session/session1/targetname", "iqn.2003-01.org.linux-iscsi.array:t1\n");
    fixture.write("sys/devices/platform/host2/session1/target2:0:0/2:0:0:3/wwid", "naa.600140512345\n");
    fixture.write("sys/devices/platform/host2/session1/target2:0:0/2:0:0:3/vpd_pg80",
                  std::string("\x00\x80\x00\x0a  serial-1", 14));
    const auto disk = probe(fixture, {8, 0});
    EXPECT_EQ(disk.placement, Placement::lun);
    EXPECT_EQ(disk.transport, "iscsi");
    EXPECT_EQ(disk.target_iqn, "iqn.2003-01.org.linux-iscsi.array:t1");
    EXPECT_EQ(disk.hctl, "2:0:0:3");
    EXPECT_EQ(disk.lun, 3);
    EXPECT_EQ(disk.vendor, "LIO-ORG");
    EXPECT_EQ(disk.model, "array");
    EXPECT_EQ(disk.wwid, "naa.600140512345");
    EXPECT_EQ(disk.serial, "serial-1");
    EXPECT_THAT(disk.evidence, Contains("target=iqn.2003-01.org.linux-iscsi.array:t1"));
}

TEST(DiskProbe, AnIscsiDiskOfAHypervisorsTargetIsStillALun) {
    Fixture fixture;
    scsi(fixture, "8:0", "platform/host2/session1/target2:0:0", "2:0:0:0", "QEMU", "QEMU HARDDISK");
    EXPECT_EQ(probe(fixture, {8, 0}).placement, Placement::lun);
}

TEST(DiskProbe, AFibreChannelPortLeadsToALun) {
    Fixture fixture;
    scsi(fixture, "8:0", "pci0000:00/0000:00:05.0/host1/rport-1:0-2/target1:0:0", "1:0:0:1", "ACME", "Array");
    fixture.write("sys/class/fc_remote_ports/rport-1:0-2/port_name", "0x500a098012345678\n");
    const auto disk = probe(fixture, {8, 0});
    EXPECT_EQ(disk.placement, Placement::lun);
    EXPECT_EQ(disk.transport, "fc");
    EXPECT_EQ(disk.pci, "0000:00:05.0");
    EXPECT_THAT(disk.evidence, Contains("fabric=FC 0x500a098012345678"));
}

TEST(DiskProbe, ScsiDisksOfHypervisorsAreVirtual) {
    for (const auto* vendor : {"QEMU", "VMware", "VBOX", "Msft"}) {
        Fixture fixture;
        scsi(fixture, "8:0", "pci0000:00/0000:00:05.0/virtio2/host0/target0:0:0", "0:0:0:0", vendor, "disk");
        const auto disk = probe(fixture, {8, 0});
        EXPECT_EQ(disk.placement, Placement::virtual_disk) << vendor;
        EXPECT_EQ(disk.transport, "scsi");
        EXPECT_THAT(disk.evidence, Contains("vendor=" + std::string(vendor)));
    }
}

TEST(DiskProbe, AnArraysDiskBehindAVirtualControllerIsALun) {
    Fixture fixture;
    scsi(fixture, "8:0", "pci0000:00/0000:00:05.0/virtio2/host0/target0:0:0", "0:0:0:0", "NETAPP", "LUN C-Mode");
    const auto disk = probe(fixture, {8, 0});
    EXPECT_EQ(disk.placement, Placement::lun);
    EXPECT_THAT(disk.evidence, Contains("vendor=NETAPP"));
}

TEST(DiskProbe, AnEmulatedAtaDiskIsVirtualByItsModel) {
    Fixture fixture;
    scsi(fixture, "8:0", "pci0000:00/0000:00:01.1/ata1/host0/target0:0:0", "0:0:0:0", "ATA", "QEMU HARDDISK");
    const auto disk = probe(fixture, {8, 0});
    EXPECT_EQ(disk.placement, Placement::virtual_disk);
    EXPECT_EQ(disk.transport, "ata");
    EXPECT_THAT(disk.evidence, Not(Contains(HasSubstr("nothing points"))));
}

TEST(DiskProbe, AnUnknownDiskSaysThatNothingPointsToAnArray) {
    Fixture fixture;
    scsi(fixture, "8:0", "pci0000:00/0000:00:05.0/host0/target0:0:0", "0:0:0:0", "ACME", "disk");
    const auto disk = probe(fixture, {8, 0});
    EXPECT_EQ(disk.placement, Placement::virtual_disk);
    EXPECT_THAT(disk.evidence, Contains(HasSubstr("nothing points to an array")));
}

TEST(DiskProbe, NvmeIsPlacedByItsTransport) {
    Fixture local;
    local.block("259:0", "pci0000:00/0000:00:06.0/nvme/nvme0/nvme0n1");
    local.attribute("259:0", "device/transport", "pcie");
    local.attribute("259:0", "device/model", "QEMU NVMe Ctrl");
    EXPECT_EQ(probe(local, {259, 0}).placement, Placement::virtual_disk);

    Fixture fabric;
    fabric.block("259:0", "virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
    fabric.attribute("259:0", "device/nvme0/transport", "tcp");
    fabric.attribute("259:0", "wwid", "eui.0011223344556677");
    const auto disk = probe(fabric, {259, 0});
    EXPECT_EQ(disk.placement, Placement::lun);
    EXPECT_EQ(disk.wwid, "eui.0011223344556677");
    EXPECT_THAT(disk.evidence, Contains("fabric=nvme-tcp"));
}

TEST(DiskProbe, ADamagedSerialPageIsNoSerial) {
    for (const auto& page : {std::string(), std::string("\x00\x83\x00\x02xx", 6), std::string("\x00\x80\xff\xff", 4)}) {
        Fixture fixture;
        fixture.block("8:0", "pci0000:00/0000:00:05.0/block/sda");
        fixture.write("sys/devices/pci0000:00/0000:00:05.0/block/sda/device/vpd_pg80", page);
        EXPECT_EQ(probe(fixture, {8, 0}).serial, "");
    }
}

TEST(DiskProbe, ADiskThatVanishedIsAnError) {
    const Fixture fixture;
    BlockNode node;
    node.number = {8, 0};
    EXPECT_EQ(probe_disk(node, fixture.sysfs()).error().error_number, ENOENT);
}

} // namespace
} // namespace quiesced
