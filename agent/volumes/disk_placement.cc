// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/disk_probe.h"
#include "volumes/disk_vendor.h"

namespace quiesced {
namespace {

/// The facts as "key=value"; what is unknown is left out.
std::vector<std::string> facts_of(const Disk& disk) {
    std::vector<std::string> facts;
    const auto note = [&](const char* name, const std::string& value) {
        if (!value.empty()) facts.push_back(std::string(name) + "=" + value);
    };
    note("transport", disk.transport);
    note("fabric", disk.fabric);
    note("target", disk.target_iqn);
    note("nqn", disk.nqn);
    note("portal", disk.portal);
    if (disk.lun >= 0 && !disk.fabric.empty()) note("lun", std::to_string(disk.lun));
    note("vendor", disk.vendor);
    note("model", disk.model);
    note("serial", disk.serial);
    note("wwid", disk.wwids.empty() ? disk.wwid : disk.wwids.front());
    note("multipath", disk.multipath);
    note("hctl", disk.hctl);
    note("pci", disk.pci);
    note("controller", disk.controller);
    return facts;
}

struct Guess {
    Placement placement = Placement::virtual_disk;
    std::string why; ///< empty where the facts speak for themselves
};

/// The rules of docs/placement.md, in their order.
Guess guess_of(const Disk& disk) {
    // What a session or a port of this guest leads to is no disk of the hypervisor, whatever it calls itself.
    if (!disk.fabric.empty()) return {Placement::lun, {}};
    if (disk.transport == "virtio" || disk.transport == "xen") return {Placement::virtual_disk, {}};
    const auto maker = maker_by_name(disk.vendor, disk.model);
    if (maker == DiskMaker::hypervisor)
        return {Placement::virtual_disk, disk.vendor.starts_with("VMware") ? "a raw device mapping in virtual mode would look the same" : ""};
    if (maker == DiskMaker::array) return {Placement::lun, "passed through: the vendor is an array's"};
    const auto company = maker_by_wwid(disk.wwids.empty() ? disk.wwid : disk.wwids.front());
    if (company == DiskMaker::hypervisor) return {Placement::virtual_disk, "the WWID is a hypervisor's"};
    if (company == DiskMaker::array) return {Placement::lun, "passed through: the WWID is an array's"};
    if (maker == DiskMaker::local) return {Placement::virtual_disk, "a local disk; nothing points to an array"};
    if (!disk.multipath.empty() && !disk.wwids.empty()) return {Placement::lun, "several paths lead to its WWID"};
    return {Placement::virtual_disk, "nothing points to an array"};
}

} // namespace

void judge_placement(Disk& disk) {
    const auto guess = guess_of(disk);
    disk.guess = guess.placement;
    disk.placement = disk.said.value_or(guess.placement);
    disk.evidence = facts_of(disk);
    if (!guess.why.empty()) disk.evidence.push_back(guess.why);
    if (!disk.said) return;
    std::string text = "hypervisor=" + std::string(placement_name(*disk.said));
    if (*disk.said != guess.placement) text += " (our guess: " + std::string(placement_name(guess.placement)) + ")";
    if (disk.said_by_size) text += " (matched by size alone)";
    disk.evidence.push_back(std::move(text));
    if (!disk.wwids.empty() ? disk.wwid != disk.wwids.front() : !disk.wwid.empty())
        disk.evidence.push_back("wwid behind it, by the hypervisor: " + disk.wwid);
}

} // namespace quiesced
