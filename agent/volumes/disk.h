// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

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

/// A leaf block device of the guest: what the hypervisor or the fabric presents. Texts are empty where unknown.
struct Disk {
    DeviceNumber number;
    std::string name; ///< the kernel's: "vda", "sdb"
    Bytes size;
    Placement placement = Placement::virtual_disk;
    std::vector<std::string> evidence; ///< the facts the placement rests on: "transport=iscsi", "vendor=LIO-ORG"
    std::string transport;             ///< "virtio", "iscsi", "fc", "nvme", "ata", "scsi", "loop", ""
    std::string vendor;
    std::string model;
    std::string serial;     ///< virtio serial, or the unit serial number (VPD page 0x80)
    std::string wwid;       ///< as sysfs says it: "naa.6001405...", "eui....", "t10...."
    std::string hctl;       ///< SCSI address "2:0:0:0"
    std::string pci;        ///< PCI address of the controller "0000:00:04.0"
    std::string target_iqn; ///< iSCSI target name
    int lun = -1;           ///< SCSI LUN, -1 when it has none
};

} // namespace quiesced
