// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace quiesced {

/// Where the data of a disk or volume live.
enum class Placement {
    virtual_disk, ///< "virtual": made by the hypervisor; its backups snapshot it on the host or in the guest
    lun,          ///< a LUN of an array, passed through or reached from the guest itself (iSCSI, FC)
    mixed,        ///< leaves of both kinds
    network,      ///< a network file system: never a member
    none,         ///< no disk at all: tmpfs, proc, overlay
};

/// "virtual", "lun", "mixed", "network", "none".
std::string_view placement_name(Placement placement);

/// A leaf block device of the guest: what the hypervisor or the fabric presents. Texts are empty where unknown; those of
/// the device itself are as it says them, so that they may be any bytes.
struct Disk {
    DeviceNumber number;
    std::string name; ///< the kernel's: "vda", "sdb"
    Bytes size;
    Placement placement = Placement::virtual_disk;
    Placement guess = Placement::virtual_disk; ///< what the guest's own facts say, whatever the hypervisor said
    std::optional<Placement> said;             ///< what the hypervisor said (MatchDisks): it overrules the guess
    bool said_by_size = false;                 ///< and that it meant this disk is known by its size alone
    std::vector<std::string> evidence; ///< the facts the placement rests on: "transport=iscsi", "vendor=LIO-ORG"
    std::string transport;             ///< "virtio", "iscsi", "fc", "nvme", "ata", "sas", "usb", "scsi", "xen", "loop", ""
    std::string fabric;                ///< what reaches it from outside: "iSCSI session1", "nvme-tcp"; empty: local
    std::string vendor;
    std::string model;
    std::string serial;     ///< virtio serial, or the unit serial number (VPD page 0x80)
    std::string wwid;       ///< as sysfs says it: "naa.6001405...", "eui....", "t10...."; or the LUN's behind the disk, as
                            ///< the hypervisor said it
    std::vector<std::string> wwids; ///< every name of the unit that the guest itself reads (sysfs, VPD page 0x83), best first
    std::string hctl;       ///< SCSI address "2:0:0:0"
    std::string pci;        ///< PCI address of the controller "0000:00:04.0"
    std::string controller; ///< driver of the SCSI host: "virtio_scsi", "vmw_pvscsi", "storvsc_host"
    std::string target_iqn; ///< iSCSI target name
    std::string portal;     ///< iSCSI or NVMe portal: "192.0.2.1:3260"
    int lun = -1;           ///< SCSI LUN, -1 when it has none
    std::string nqn;        ///< NVMe subsystem
    std::string multipath;  ///< name of the dm-multipath device that it is a path of
    std::uint64_t sequence = 0; ///< the kernel's number of this disk's appearance (diskseq, from 5.15), 0 where unknown
};

} // namespace quiesced
