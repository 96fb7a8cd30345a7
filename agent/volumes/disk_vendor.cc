// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/disk_vendor.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace quiesced {
namespace {

/// A rule fits when the vendor is the same and the model starts as given. The vendor field of INQUIRY has 8 bytes: that
/// is why some names end early.
struct Rule {
    std::string_view vendor;
    std::string_view model;
    DiskMaker maker;
};

constexpr auto kHypervisor = DiskMaker::hypervisor;
constexpr auto kArray = DiskMaker::array;
constexpr auto kLocal = DiskMaker::local;

/// The first that fits counts.
constexpr auto kRules = std::to_array<Rule>({
    // Hypervisors and clouds. ATA and NVMe disks have the name in their model: see kModels.
    {"QEMU", "", kHypervisor},
    {"VMware", "", kHypervisor},
    {"VMware,", "", kHypervisor},
    {"VBOX", "", kHypervisor},
    {"MSFT", "Virtual HD", kArray}, // Windows' iSCSI target; Hyper-V's own disks are "Msft", "Virtual Disk"
    {"Msft", "", kHypervisor},
    {"XENSRC", "", kHypervisor},
    {"Xen", "", kHypervisor},
    {"Google", "", kHypervisor},
    {"NUTANIX", "", kHypervisor}, // an iSCSI session to its volumes is seen before the name is asked
    {"ORACLE", "BlockVolume", kHypervisor},
    {"AIX", "VDASD", kHypervisor}, // PowerVM's virtual SCSI
    {"AIX", "NVDISK", kHypervisor},
    {"IBM", "3303", kHypervisor}, // IBM i's NVDISK
    {"DO", "Volume", kHypervisor},
    {"HC", "Volume", kHypervisor},
    {"SCW", "", kHypervisor},
    {"BHYVE", "", kHypervisor},
    {"Virtual", "", kHypervisor},
    // RAID controllers and disks of makers that build arrays, too.
    {"DELL", "PERC", kLocal},
    {"DELL", "BOSS", kLocal},
    {"HP", "LOGICAL VOLUME", kLocal},
    {"HPE", "LOGICAL VOLUME", kLocal},
    {"LENOVO", "RAID", kLocal},
    {"IBM", "ServeRAID", kLocal},
    {"IBM", "IPR", kLocal},
    {"AVAGO", "", kLocal},
    {"BROADCOM", "", kLocal},
    {"ATA", "", kLocal},
    // Arrays and targets.
    {"3PARdata", "VV", kArray},
    {"AStor", "NeoSapphire", kArray},
    {"COMPELNT", "", kArray},
    {"DataCore", "", kArray},
    {"DDN", "", kArray},
    {"DELL", "", kArray},
    {"DellEMC", "", kArray},
    {"DELL EMC", "", kArray},
    {"DGC", "", kArray},
    {"DotHill", "", kArray},
    {"EMC", "", kArray},
    {"ENGENIO", "", kArray},
    {"EQLOGIC", "", kArray},
    {"EUROLOGC", "", kArray},
    {"FALCON", "", kArray},
    {"FreeNAS", "", kArray},
    {"FSC", "CentricStor", kArray},
    {"FUJITSU", "E", kArray}, // ETERNUS, E2000 to E8000; its disks are named otherwise
    {"HITACHI", "OPEN-", kArray},
    {"HITACHI", "DF", kArray},
    {"HITACHI", "Hi-SDS", kArray},
    {"HP", "OPEN-", kArray},
    {"HP", "HSV", kArray},
    {"HP", "MSA", kArray},
    {"HP", "P2000", kArray},
    {"HP", "A6189A", kArray},
    {"HPE", "OPEN-", kArray},
    {"HPE", "HSV", kArray},
    {"HPE", "MSA", kArray},
    {"COMPAQ", "HSV", kArray},
    {"COMPAQ", "MSA", kArray},
    {"HUAWEI", "", kArray},
    {"HUASY", "", kArray},
    {"IBM", "1", kArray}, // 1722 to 1820N00: DS3000 to DS5000
    {"IBM", "2", kArray}, // 2105, 2107900: DS8000; 2145: SAN Volume Controller, Storwize; 2810XIV
    {"IBM", "3", kArray},
    {"IBM", "DCS9900", kArray},
    {"IBM", "FlashSystem", kArray},
    {"TMS", "RamSan", kArray},
    {"XIV", "NEXTRA", kArray},
    {"IET", "", kArray},
    {"IFT", "", kArray},
    {"NFINIDAT", "InfiniBox", kArray},
    {"INSPUR", "MCS", kArray},
    {"Intel", "Multi-Flex", kArray},
    {"KMNRIO", "K2", kArray},
    {"KOVE", "XPD", kArray},
    {"LEFTHAND", "", kArray},
    {"LENOVO", "DE_Series", kArray},
    {"LENOVO", "DS", kArray},
    {"LIO-ORG", "", kArray}, // also what vhost-scsi shows of a target of the host
    {"LSI", "INF-01-00", kArray},
    {"MacroSAN", "", kArray},
    {"NEC", "DISK ARRAY", kArray},
    {"NETAPP", "", kArray},
    {"NEXENTA", "", kArray},
    {"NEXSAN", "", kArray},
    {"NexGen", "", kArray},
    {"Nimble", "", kArray},
    {"OPEN-E", "", kArray},
    {"Oracle", "Oracle FS", kArray},
    {"Pillar", "", kArray},
    {"PIVOT3", "", kArray},
    {"Promise", "V", kArray}, // VTrak, Vess
    {"PURE", "", kArray},
    {"QNAP", "", kArray},
    {"Qsan", "", kArray},
    {"SCST_BIO", "", kArray},
    {"SCST_FIO", "", kArray},
    {"SGI", "IS", kArray},
    {"SGI", "TP9", kArray},
    {"SolidFir", "", kArray},
    {"STK", "", kArray},
    {"SUN", "Sun Storage", kArray},
    {"SUN", "ZFS Storage", kArray},
    {"SUN", "COMSTAR", kArray},
    {"SUN", "ArrayStorage", kArray},
    {"SUN", "CSM", kArray},
    {"SUN", "LCSM", kArray},
    {"SUN", "STK", kArray},
    {"SUN", "StorEdge", kArray},
    {"SUN", "SUN_6180", kArray},
    {"SUSE", "", kArray},
    {"SYNOLOGY", "", kArray},
    {"TEGILE", "", kArray},
    {"TrueNAS", "", kArray},
    {"Vexata", "", kArray},
    {"VIOLIN", "", kArray},
    {"VSTORAGE", "", kArray},
    {"XIOTECH", "", kArray},
    {"XtremIO", "", kArray},
    {"ZADARA", "", kArray},
});

struct ModelRule {
    std::string_view model;
    DiskMaker maker;
};

/// Models of ATA and NVMe disks.
constexpr auto kModels = std::to_array<ModelRule>({
    {"QEMU", kHypervisor},
    {"VMware", kHypervisor},
    {"VBOX", kHypervisor},
    {"ORCL-VBOX", kHypervisor},
    {"Virtual", kHypervisor},
    {"Parallels", kHypervisor},
    {"Bhyve", kHypervisor},
    {"Amazon", kHypervisor}, // Elastic Block Store, EC2 NVMe Instance Storage
    {"nvme_card", kHypervisor}, // Google's
    {"Google", kHypervisor},
    {"Microsoft NVMe", kHypervisor},
    {"MSFT NVMe", kHypervisor},
    {"Msft Virtual", kHypervisor},
    {"Alibaba", kHypervisor},
    {"Nutanix", kHypervisor},
    {"Xen", kHypervisor},
    {"EMC PowerMax", kArray},
    {"dellemc-powerstore", kArray},
    {"FlashSystem", kArray},
    {"IBM     2145", kArray},
    {"HITACHI SVOS", kArray},
    {"HPE Alletra", kArray},
    {"Huawei-XSG1", kArray},
    {"InfiniBox", kArray},
    {"NetApp ONTAP", kArray},
    {"Pure Storage", kArray},
    {"VASTData", kArray},
});

struct Company {
    std::string_view id; ///< IEEE OUI, 6 hexadecimal digits
    DiskMaker maker;
};

constexpr auto kCompanies = std::to_array<Company>({
    {"000c29", kHypervisor}, // VMware: its virtual disks are naa.6000c29...
    {"005056", kHypervisor}, // VMware
    {"002248", kHypervisor}, // Microsoft: Hyper-V's virtual disks are naa.60022480...
    {"001405", kArray},      // LIO
    {"00a098", kArray},      // NetApp
    {"0a9800", kArray},      // NetApp before it had an id of its own
    {"0080e5", kArray},      // NetApp, LSI: E-Series
    {"00a0b8", kArray},      // the same, older
    {"000097", kArray},      // EMC Symmetrix, PowerMax
    {"006016", kArray},      // EMC CLARiiON, VNX, Unity
    {"8ccf09", kArray},      // Dell PowerStore
    {"14f0c5", kArray},      // XtremIO
    {"000d31", kArray},      // Compellent
    {"0002ac", kArray},      // 3PAR
    {"00c0ff", kArray},      // Dot Hill, HPE MSA, Dell ME
    {"000eb3", kArray},      // LeftHand
    {"24a937", kArray},      // Pure Storage
    {"0060e8", kArray},      // Hitachi
    {"005076", kArray},      // IBM
    {"001738", kArray},      // IBM XIV
    {"742b0f", kArray},      // Infinidat
    {"00000e", kArray},      // Fujitsu
    {"589cfc", kArray},      // FreeNAS, TrueNAS
});

bool same(unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); }

bool same_text(std::string_view a, std::string_view b) { return std::equal(a.begin(), a.end(), b.begin(), b.end(), same); }

bool begins(std::string_view text, std::string_view with) { return same_text(text.substr(0, with.size()), with); }

} // namespace

DiskMaker maker_by_name(std::string_view vendor, std::string_view model) {
    // libata says "ATA"; NVMe has no vendor.
    if (vendor.empty() || same_text(vendor, "ATA"))
        for (const auto& rule : kModels)
            if (begins(model, rule.model)) return rule.maker;
    for (const auto& rule : kRules)
        if (same_text(vendor, rule.vendor) && begins(model, rule.model)) return rule.maker;
    return DiskMaker::unknown;
}

DiskMaker maker_by_wwid(std::string_view wwid) {
    // NAA 2, 3 and 4-bit forms aside: in 5 and 6 the 24 bits behind the first digit are the company's.
    if (!begins(wwid, "naa.5") && !begins(wwid, "naa.6")) return DiskMaker::unknown;
    const auto id = wwid.substr(5, 6);
    for (const auto& company : kCompanies)
        if (same_text(id, company.id)) return company.maker;
    return DiskMaker::unknown;
}

} // namespace quiesced
