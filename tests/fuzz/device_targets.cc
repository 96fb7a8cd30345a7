// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "fuzz/target.h"
#include "snapshot/lvm_report.h"
#include "volumes/block_graph.h"
#include "volumes/disk_vendor.h"
#include "volumes/match_facts.h"
#include "volumes/signature.h"
#include "volumes/vpd.h"

namespace quiesced::fuzz {

void run_udev_signature(std::string_view input) {
    const auto signature = parse_udev_signature(input);
    require(signature.type.size() + signature.uuid.size() + signature.label.size() <= input.size(),
            "a signature is a part of the database's entry");
    (void)signature.stands_alone();
}

/// The first two bytes say at which KiB of a disk of 1 MiB the rest lies.
void run_superblock(std::string_view input) {
    constexpr std::size_t disk_size = 1U << 20U;
    if (input.size() < 2) return;
    const UniqueFd disk(::memfd_create("disk", MFD_CLOEXEC));
    if (!disk || ::ftruncate(disk.get(), disk_size) != 0) return;
    const auto place = (static_cast<unsigned char>(input[0]) + 256U * static_cast<unsigned char>(input[1])) * 1024U % disk_size;
    const auto content = input.substr(2, disk_size - place);
    if (::pwrite(disk.get(), content.data(), content.size(), static_cast<off_t>(place)) < 0) return;
    const auto signature = probe_signature(disk.get());
    if (!signature)
        require(!signature.error().context.empty(), "an error says what happened");
    else
        (void)signature->stands_alone();
}

void run_dm_name(std::string_view input) {
    const auto end = std::min(input.find('\n'), input.size());
    BlockNode node;
    node.kind = BlockNode::Kind::device_mapper;
    node.name = "dm-0";
    node.dm_name = input.substr(0, end);
    node.dm_uuid = input.substr(std::min(end + 1, input.size()));
    require(node.path().starts_with("/dev/"), "a path is below /dev");
    require(!node.lvm_internal() || node.dm_uuid.starts_with("LVM-"), "an inner device of LVM is LVM's");
    (void)is_lvm_uuid(node.dm_uuid);
    require(lvm_group_of(node.dm_name).size() <= node.dm_name.size(), "a group is a part of the name");
    node.dm_name.clear();
    node.name = input;
    require(node.path().starts_with("/dev/"), "a path is below /dev");
    if (const auto set = SetId::parse("0123456789abcdef")) {
        const auto name = lvm_snapshot_name(std::string(input.substr(0, end)), node.dm_uuid, *set, 7);
        require(!name.empty(), "a snapshot has a name");
    }
}

void run_device_number(std::string_view input) {
    if (const auto number = DeviceNumber::parse(input))
        require(DeviceNumber::parse(number->text()) == *number, "a number's text is that number");
    if (const auto set = SetId::parse(input)) require(set->text() == input, "an id's text is that id");
    (void)Bytes{input.size()}.text();
}

/// Two bytes for each edge: from a device to one below it, of 256 devices of which only some exist.
void run_block_graph(std::string_view input) {
    std::map<DeviceNumber, BlockNode> nodes;
    for (std::size_t i = 0; i + 1 < input.size(); i += 2) {
        const DeviceNumber upper{253, static_cast<unsigned char>(input[i])};
        auto& node = nodes[upper];
        node.number = upper;
        node.name = "dm-" + std::to_string(upper.minor);
        if (input[i] != input[i + 1] || upper.minor % 2 == 0)
            node.lower.push_back({253, static_cast<unsigned char>(input[i + 1])});
    }
    const BlockGraph graph(std::move(nodes));
    for (const auto& [number, node] : graph.nodes()) {
        const auto leaves = graph.leaves(number);
        if (!leaves) {
            require(!leaves.error().context.empty(), "an error says what happened");
            continue;
        }
        require(!leaves->empty(), "something is at the bottom");
        auto sorted = *leaves;
        std::sort(sorted.begin(), sorted.end());
        require(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(), "a leaf comes once");
        for (const auto leaf : *leaves)
            require(graph.find(leaf) != nullptr && graph.find(leaf)->lower.empty(), "nothing is below a leaf");
    }
}

void run_vpd(std::string_view input) {
    const std::span page(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    const auto designators = parse_device_identification(page);
    std::size_t bytes = 0;
    for (const auto& designator : designators) {
        bytes += designator.bytes.size();
        (void)designator.text();
    }
    require(bytes <= input.size(), "what is in a page is a part of it");
    const auto names = unit_names(designators);
    require(names.size() <= designators.size(), "a designator is one name or none");
    for (const auto& name : names) {
        require(!name.empty(), "a name has a text");
        (void)maker_by_wwid(name);
    }
    require(parse_unit_serial(page).size() <= input.size(), "a serial number is a part of its page");
}

void run_wwid(std::string_view input) {
    const auto normal = normal_wwid(input);
    // Whoever writes the kernel's form of it means the same unit.
    if (normal.hexadecimal) require(normal_wwid(kernel_wwid(input)) == normal, "the kernel's form is the same name");
    (void)maker_by_wwid(input);
    const auto end = std::min(input.find('\n'), input.size());
    const auto told = input.substr(0, end);
    const auto shown = input.substr(std::min(end + 1, input.size()));
    (void)same_serial(told, shown, true);
    require(normal_serial(told).empty() || same_serial(told, told, false), "a serial number is itself");
    require(normal_serial(normal_serial(told)) == normal_serial(told), "a serial number is made plain once");
    (void)maker_by_name(told, shown);
}

void run_address(std::string_view input) {
    if (const auto pci = parse_pci(input)) require(*pci == *parse_pci(input), "an address is itself");
    if (const auto scsi = parse_hctl(input)) require(scsi->fits(*scsi), "an address fits itself");
}

} // namespace quiesced::fuzz
