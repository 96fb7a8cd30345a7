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

TEST(DiskProbe, AnIscsiDiskKnowsItsPortalAndLun) {
    Fixture fixture;
    scsi(fixture, "8:0", "platform/host2/session12/target2:0:0", "2:0:0:3", "LIO-ORG", "array");
    fixture.write("sys/class/iscsi_session/session12/targetname", "iqn.2026-01.org.example:t1\n");
    fixture.write("sys/class/iscsi_connection/connection12:0/address", "192.0.2.9\n");
    fixture.write("sys/class/iscsi_connection/connection12:0/port", "3260\n");
    EXPECT_EQ(probe(fixture, {8, 0}).portal, "192.0.2.9:3260");
    fixture.write("sys/class/iscsi_connection/connection12:0/persistent_address", "2001:db8::1\n");
    fixture.write("sys/class/iscsi_connection/connection12:0/persistent_port", "3261\n");
    const auto disk = probe(fixture, {8, 0});
    EXPECT_EQ(disk.portal, "[2001:db8::1]:3261");
    EXPECT_EQ(disk.fabric, "iSCSI session12");
    EXPECT_THAT(disk.evidence, Contains("portal=[2001:db8::1]:3261"));
    EXPECT_THAT(disk.evidence, Contains("lun=3"));
    EXPECT_THAT(disk.evidence, Contains("hctl=2:0:0:3"));
}

TEST(DiskProbe, TheWwidComesFromThePageWhereSysfsSaysNone) {
    Fixture fixture;
    const std::string device = "pci0000:00/0000:00:05.0/virtio2/host0/target0:0:0";
    scsi(fixture, "8:0", device, "0:0:0:0", "ACME", "Box");
    // A T10 name of 12 bytes and an NAA of 16.
    const std::string_view page("\x00\x83\x00\x24\x02\x01\x00\x0c" "ACME    unit" "\x01\x03\x00\x10"
                                "\x60\x0a\x09\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 40);
    fixture.write("sys/devices/" + device + "/0:0:0:0/vpd_pg83", page);
    auto disk = probe(fixture, {8, 0});
    EXPECT_EQ(disk.wwid, "naa.600a0980000000000000000000000001");
    EXPECT_THAT(disk.wwids, testing::ElementsAre("naa.600a0980000000000000000000000001", "t10.ACME    unit"));
    EXPECT_EQ(disk.placement, Placement::lun) << "the company in the WWID makes arrays";
    EXPECT_THAT(disk.evidence, Contains(HasSubstr("the WWID is an array's")));
    // What sysfs says goes first, and the page's other names are kept.
    fixture.write("sys/devices/" + device + "/0:0:0:0/wwid", "t10.ACME    unit\n");
    disk = probe(fixture, {8, 0});
    EXPECT_THAT(disk.wwids, testing::ElementsAre("t10.ACME    unit", "naa.600a0980000000000000000000000001"));
}

TEST(DiskProbe, AFibreChannelHostWithoutRemotePortsLeadsToALunToo) {
    Fixture fixture;
    scsi(fixture, "8:0", "LNXSYSTM:00/VMBUS:00/0a1b/host3/target3:0:0", "3:0:0:1", "ACME", "Array");
    fixture.write("sys/class/scsi_host/host3/proc_name", "storvsc_host\n");
    EXPECT_EQ(probe(fixture, {8, 0}).placement, Placement::virtual_disk);
    fixture.write("sys/class/fc_host/host3/port_name", "0xc003ff0000ffff00\n");
    const auto disk = probe(fixture, {8, 0});
    EXPECT_EQ(disk.transport, "fc");
    EXPECT_EQ(disk.placement, Placement::lun);
    EXPECT_THAT(disk.evidence, Contains("fabric=FC host3"));
    EXPECT_THAT(disk.evidence, Contains("controller=storvsc_host"));
}

TEST(DiskProbe, SasAndUsbAreTransportsThatDecideNothing) {
    Fixture sas;
    scsi(sas, "8:0", "pci0000:00/0000:00:05.0/host0/port-0:0/end_device-0:0/target0:0:0", "0:0:0:0", "DELL", "PERC H740P Mini");
    sas.write("sys/class/sas_host/host0/x", "");
    const auto local = probe(sas, {8, 0});
    EXPECT_EQ(local.transport, "sas");
    EXPECT_EQ(local.placement, Placement::virtual_disk);
    EXPECT_THAT(local.evidence, Contains(HasSubstr("a local disk")));

    Fixture vmware;
    scsi(vmware, "8:0", "pci0000:00/0000:00:05.0/host0/port-0:0/end_device-0:0/target0:0:0", "0:0:0:0", "VMware", "Virtual disk");
    vmware.write("sys/class/sas_host/host0/x", "");
    EXPECT_EQ(probe(vmware, {8, 0}).placement, Placement::virtual_disk);
    EXPECT_THAT(probe(vmware, {8, 0}).evidence, Contains("a raw device mapping in virtual mode would look the same"));

    Fixture usb;
    scsi(usb, "8:0", "pci0000:00/0000:00:06.0/usb1/1-1/1-1:1.0/host4/target4:0:0", "4:0:0:0", "QEMU", "QEMU HARDDISK");
    EXPECT_EQ(probe(usb, {8, 0}).transport, "usb");
}

TEST(DiskProbe, AnNvmeDiskOverAFabricKnowsItsSubsystemAndPortal) {
    Fixture fixture;
    fixture.block("259:0", "virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
    fixture.attribute("259:0", "device/subsysnqn", "nqn.2026-01.org.example:array");
    fixture.attribute("259:0", "device/nvme0/transport", "rdma");
    fixture.attribute("259:0", "device/nvme0/address", "traddr=192.0.2.1,trsvcid=4420,src_addr=192.0.2.7");
    fixture.attribute("259:0", "wwid", "eui.00112233445566778899aabbccddeeff");
    fixture.attribute("259:0", "nguid", "00112233-4455-6677-8899-aabbccddeeff");
    fixture.attribute("259:0", "eui", "00 00 00 00 00 00 00 00");
    fixture.attribute("259:0", "uuid", "01234567-89ab-cdef-0123-456789abcdef");
    fixture.attribute("259:0", "diskseq", "41");
    const auto disk = probe(fixture, {259, 0});
    EXPECT_EQ(disk.placement, Placement::lun);
    EXPECT_EQ(disk.nqn, "nqn.2026-01.org.example:array");
    EXPECT_EQ(disk.portal, "192.0.2.1:4420");
    EXPECT_EQ(disk.fabric, "nvme-rdma");
    EXPECT_THAT(disk.wwids, testing::ElementsAre("eui.00112233445566778899aabbccddeeff", "uuid.01234567-89ab-cdef-0123-456789abcdef"));
    EXPECT_EQ(disk.sequence, 41U);
    EXPECT_THAT(disk.evidence, Contains("nqn=nqn.2026-01.org.example:array"));
}

TEST(DiskProbe, ALocalNvmeDiskKnowsItsPciAddress) {
    Fixture fixture;
    fixture.block("259:0", "virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
    fixture.attribute("259:0", "device/nvme0/transport", "pcie");
    fixture.attribute("259:0", "device/nvme0/address", "10000:e1:00.0");
    const auto disk = probe(fixture, {259, 0});
    EXPECT_EQ(disk.pci, "10000:e1:00.0");
    EXPECT_EQ(disk.placement, Placement::virtual_disk);
    EXPECT_THAT(disk.evidence, Contains("nothing points to an array"));
}

TEST(DiskProbe, AXenDiskIsVirtual) {
    Fixture fixture;
    fixture.block("202:0", "vbd-51712/block/xvda");
    EXPECT_EQ(probe(fixture, {202, 0}).transport, "xen");
    EXPECT_EQ(probe(fixture, {202, 0}).placement, Placement::virtual_disk);
}

TEST(DiskProbe, ANetworkBlockDeviceIsNoDiskOfTheHypervisor) {
    Fixture fixture;
    fixture.block("251:0", "virtual/block/rbd0");
    EXPECT_EQ(probe(fixture, {251, 0}).placement, Placement::lun);
    EXPECT_THAT(probe(fixture, {251, 0}).evidence, Contains("fabric=rbd"));
}

TEST(DiskProbe, ADamagedIdentificationPageIsNoName) {
    for (const auto& page : {std::string(), std::string("\x00\x83\xff\xff\x01\x03\x00\x10", 8), std::string("\x00\x80\x00\x02xx", 6)}) {
        Fixture fixture;
        fixture.block("8:0", "pci0000:00/0000:00:05.0/block/sda");
        fixture.write("sys/devices/pci0000:00/0000:00:05.0/block/sda/device/vpd_pg83", page);
        EXPECT_EQ(probe(fixture, {8, 0}).wwid, "");
    }
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
