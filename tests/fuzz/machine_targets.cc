// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fuzz/fake_machine.h"
#include "fuzz/target.h"
#include "volumes/disk_probe.h"
#include "volumes/inventory.h"
#include "volumes/local_path.h"
#include "volumes/match.h"
#include "volumes/match_verdicts.h"

namespace quiesced::fuzz {
namespace {

void check_answer(const Inventory& inventory, const Result<const Volume*>& found) {
    if (!found) {
        require(!found.error().context.empty(), "an error says what happened");
        return;
    }
    const auto& volumes = inventory.volumes();
    require(std::any_of(volumes.begin(), volumes.end(), [&](const Volume& volume) { return &volume == *found; }),
            "a name's volume is one of the inventory");
}

/// A machine of which all is known.
const Inventory& known_machine() {
    static const FakeMachine machine(R"(== mountinfo
21 1 252:0 / / rw - ext4 /dev/vda rw
22 21 252:1 / /srv/a\040b rw - xfs /dev/vda1 rw
23 21 0:40 / /net rw - nfs server:/x rw
24 21 0:41 / /net/below rw - tmpfs tmpfs rw
25 21 8:16 / /srv/lun rw - ext4 /dev/sdb rw
== sys/devices/pci0000:00/0000:00:04.0/virtio0/block/vda/dev
252:0
== sys/devices/pci0000:00/0000:00:04.0/virtio0/block/vda/size
2048
== sys/devices/pci0000:00/0000:00:04.0/virtio0/block/vda/serial
data1
== sys/devices/pci0000:00/0000:00:04.0/virtio0/block/vda/vda1/dev
252:1
== sys/devices/pci0000:00/0000:00:04.0/virtio0/block/vda/vda1/size
1024
== sys/devices/pci0000:00/0000:00:04.0/virtio0/block/vda/vda1/partition
1
== sys/devices/host2/target2:0:0/2:0:0:1/block/sdb/dev
8:16
== sys/devices/host2/target2:0:0/2:0:0:1/block/sdb/size
4096
== sys/devices/host2/target2:0:0/2:0:0:1/block/sdb/device -> ../../../2:0:0:1
== sys/devices/host2/target2:0:0/2:0:0:1/vendor
LIO-ORG
== sys/devices/host2/target2:0:0/2:0:0:1/wwid
naa.60014051234567890123456789abcdef
== sys/dev/block/252:0 -> ../../devices/pci0000:00/0000:00:04.0/virtio0/block/vda
== sys/dev/block/252:1 -> ../../devices/pci0000:00/0000:00:04.0/virtio0/block/vda/vda1
== sys/dev/block/8:16 -> ../../devices/host2/target2:0:0/2:0:0:1/block/sdb
== udev/b252:1
E:ID_FS_UUID=1234
E:ID_FS_LABEL=label
)");
    static const Inventory inventory = Inventory::read(machine.paths(), machine.probe()).value();
    return inventory;
}

void check_matches(const std::vector<DiskClaim>& claims, const Inventory& inventory) {
    const auto matches = match_disks(claims, inventory);
    require(matches.size() == claims.size(), "every claim is answered");
    for (std::size_t i = 0; i < matches.size(); ++i) {
        const auto& match = matches.at(i);
        require(match.id == claims.at(i).id, "answers come in the order of the claims");
        require((match.outcome == DiskMatch::Outcome::matched) == !match.paths.empty(), "what matched has a disk");
        require(match.outcome == DiskMatch::Outcome::matched || !match.reason.empty(), "what did not match has a reason");
        for (const auto path : match.paths) require(inventory.graph().find(path) != nullptr, "a disk is one of the machine's");
        (void)volumes_on(match.paths, inventory);
    }
    (void)verdicts_of(claims, matches, inventory);
}

} // namespace

/// A machine (see FakeMachine) whose disk is 8:0.
void run_disk(std::string_view input) {
    const FakeMachine machine(input);
    BlockNode node;
    node.number = {8, 0};
    node.name = "sda";
    const auto disk = probe_disk(node, machine.path("sys"));
    if (disk) require(!placement_name(disk->placement).empty(), "a disk has a placement");
    node.name = "nvme0n1";
    (void)probe_disk(node, machine.path("sys"));
}

/// A name of a volume.
void run_resolve(std::string_view input) {
    const auto& inventory = known_machine();
    check_answer(inventory, inventory.resolve(std::string(input)));
    const auto clean = clean_path(std::string(input));
    require(clean.starts_with('/') && clean_path(clean) == clean, "a clean path is absolute and stays as it is");
}

/// Claims of one line each, their fields apart by commas: "wwid,serial,virtio serial,pci,hctl,size,type".
void run_claim(std::string_view input) {
    std::vector<DiskClaim> claims;
    while (!input.empty() && claims.size() < 8) {
        auto line = input.substr(0, input.find('\n'));
        input.remove_prefix(std::min(line.size() + 1, input.size()));
        const auto field = [&line] {
            const auto text = line.substr(0, line.find(','));
            line.remove_prefix(std::min(text.size() + 1, line.size()));
            return std::string(text);
        };
        DiskClaim claim;
        claim.id = std::to_string(claims.size());
        claim.wwid = field();
        claim.serial = field();
        claim.virtio_serial = field();
        claim.pci = field();
        claim.hctl = field();
        if (const auto size = field(); !size.empty()) claim.size = Bytes{std::strtoull(size.c_str(), nullptr, 10)};
        if (const auto type = field(); !type.empty()) claim.type = type == "lun" ? Placement::lun : Placement::virtual_disk;
        if (check_claim(claim)) claims.push_back(std::move(claim));
    }
    check_matches(claims, known_machine());
}

/// The file that keeps the hypervisor's words.
void run_verdicts(std::string_view input) {
    const FakeMachine machine("== boot\n1234\n== state/other\n");
    const auto folder = machine.path("state");
    PlacementVerdicts writer(folder, machine.path("boot"));
    require(writer.record({{"naa.1", {.type = Placement::lun, .lun_wwid = {}, .weak = false}}}, false).has_value(), "a verdict can be kept");
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().filename() == "other") continue;
        std::ofstream file(entry.path(), std::ios::binary | std::ios::trunc);
        file.write(input.data(), static_cast<std::streamsize>(input.size()));
    }
    PlacementVerdicts reader(folder, machine.path("boot"));
    const bool loaded = reader.load().has_value();
    require(loaded || reader.all().empty(), "of a damaged file nothing is known");
    require(reader.record({{"naa.2", {.type = Placement::lun, .lun_wwid = {}, .weak = false}}}, false).has_value(), "a damaged file is replaced");
    require(reader.load().has_value() && reader.all().contains("naa.2"), "what was written can be read");
}

void run_inventory(std::string_view input) {
    const FakeMachine machine(input);
    const auto inventory = Inventory::read(machine.paths(), machine.probe());
    require(inventory.has_value(), "whatever is wrong with one volume, there is a list");
    for (const auto& volume : inventory->volumes()) {
        for (const auto leaf : volume.leaves)
            require(inventory->graph().find(leaf) != nullptr, "a leaf is a device of the graph");
        for (const auto& mount : volume.mounts) check_answer(*inventory, inventory->resolve(mount.path));
        check_answer(*inventory, inventory->resolve(volume.name));
        check_answer(*inventory, inventory->resolve("UUID=" + volume.uuid));
        check_answer(*inventory, inventory->resolve("LABEL=" + volume.label));
        if (const auto upper = inventory->stacked_on(volume))
            for (const auto* other : *upper) require(other != &volume, "no volume lies on itself");
        (void)inventory->backing_of(volume);
    }
    std::vector<DiskClaim> claims;
    for (const auto& [number, disk] : inventory->disks()) {
        DiskClaim claim;
        claim.id = disk.name;
        claim.wwid = disk.wwid;
        claim.serial = disk.serial;
        claim.size = disk.size;
        claims.push_back(std::move(claim));
    }
    check_matches(claims, *inventory);
    for (const auto& problem : inventory->problems()) require(!problem.empty(), "a problem has a text");
}

} // namespace quiesced::fuzz
