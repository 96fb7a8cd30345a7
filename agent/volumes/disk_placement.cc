// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <cctype>

#include "volumes/disk_probe.h"

namespace quiesced {
namespace {

/// What a hypervisor's emulated disks call themselves (SCSI vendor, or the start of an ATA or NVMe model).
constexpr auto kHypervisors = std::to_array<std::string_view>(
    {"QEMU", "VMware", "VBOX", "Msft", "Virtual", "Xen", "Google", "Amazon Elastic Block Store", "Nutanix", "Parallels",
     "Bhyve", "Alibaba", "Microsoft NVMe", "MSFT NVMe", "nvme_card-pd"});

/// SCSI vendors of storage arrays and targets: a disk that a hypervisor passes through keeps its array's name.
constexpr auto kArrays = std::to_array<std::string_view>(
    {"3PARdata", "COMPELNT", "DataCore", "DELL EMC", "DGC",     "DotHill", "EMC",    "EQLOGIC",   "FALCON",  "FreeNAS",
     "FUJITSU",  "HITACHI",  "HPE",      "HP",       "HUAWEI",  "IBM",     "IET",    "INFINIDAT", "LENOVO",  "LIO-ORG",
     "LSI",      "MacroSAN", "NEC",      "NETAPP",   "NEXENTA", "Nimble",  "OPEN-E", "Pillar",    "PURE",    "QNAP",
     "SCST_BIO", "SCST_FIO", "SUN",      "SYNOLOGY", "TEGILE",  "TrueNAS", "VIOLIN", "XtremIO",   "XIOTECH", "ZADARA"});

bool same_text(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_hypervisor(std::string_view text) {
    return std::any_of(kHypervisors.begin(), kHypervisors.end(),
                       [&](auto name) { return same_text(text.substr(0, name.size()), name); });
}

bool is_array(std::string_view vendor) {
    return std::any_of(kArrays.begin(), kArrays.end(), [&](auto name) { return same_text(vendor, name); });
}

} // namespace

void judge_placement(Disk& disk, const std::string& fabric) {
    const auto note = [&](const char* name, const std::string& value) {
        if (!value.empty()) disk.evidence.push_back(std::string(name) + "=" + value);
    };
    disk.evidence.clear();
    note("transport", disk.transport);
    // The way to the disk comes first: what a session or a port leads to is no disk of the hypervisor, whatever it
    // calls itself.
    if (!fabric.empty()) {
        disk.placement = Placement::lun;
        note("fabric", fabric);
        note("target", disk.target_iqn);
        note("vendor", disk.vendor);
        note("wwid", disk.wwid);
        return;
    }
    note("vendor", disk.vendor);
    note("model", disk.model);
    note("serial", disk.serial);
    if (disk.transport == "virtio" || disk.transport == "xen" || is_hypervisor(disk.vendor) ||
        is_hypervisor(disk.model)) {
        disk.placement = Placement::virtual_disk;
    } else if (is_array(disk.vendor)) {
        disk.placement = Placement::lun;
        note("wwid", disk.wwid);
    } else {
        disk.placement = Placement::virtual_disk;
        note("wwid", disk.wwid);
        disk.evidence.emplace_back("nothing points to an array");
    }
}

} // namespace quiesced
