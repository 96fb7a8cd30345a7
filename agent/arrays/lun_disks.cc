// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/lun_disks.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

namespace quiesced {
namespace {

std::string field(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

tl::unexpected<Error> bad(std::string what) {
    return fail(ErrorKind::plugin_failed, "its result is not usable: " + std::move(what));
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// The number at the end: "sdb12" of "sdb", "nvme0n1p2" of "nvme0n1", the "2" of "part2-mpath-...".
std::optional<int> number_in(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number <= 0) return std::nullopt;
    return number;
}

std::optional<int> partition_number(const BlockNode& node, const BlockGraph& graph) {
    if (node.kind == BlockNode::Kind::device_mapper) {
        const std::string_view uuid = node.dm_uuid;
        const auto dash = uuid.find('-');
        if (!uuid.starts_with("part") || dash == std::string_view::npos) return std::nullopt;
        return number_in(uuid.substr(4, dash - 4));
    }
    const BlockNode* disk = node.lower.size() == 1 ? graph.find(node.lower.front()) : nullptr;
    std::string_view name = node.name;
    if (disk == nullptr || !name.starts_with(disk->name)) return std::nullopt;
    name.remove_prefix(disk->name.size());
    if (name.starts_with('p')) name.remove_prefix(1);
    return number_in(name);
}

} // namespace

std::optional<std::vector<Disk>> lun_disks(const Volume& volume, const Inventory& inventory) {
    std::vector<Disk> disks;
    for (const auto leaf : volume.leaves) {
        const auto found = inventory.disks().find(leaf);
        if (found == inventory.disks().end()) return std::nullopt;
        const Disk& disk = found->second;
        if (disk.placement != Placement::lun || disk.wwid.empty()) return std::nullopt;
        const auto same = [&](const Disk& other) { return other.wwid == disk.wwid; };
        if (std::none_of(disks.begin(), disks.end(), same)) disks.push_back(disk);
    }
    if (disks.empty()) return std::nullopt;
    return disks;
}

Json disk_to_json(const Disk& disk) {
    Json object = {{"wwid", disk.wwid}, {"size_bytes", disk.size.count}};
    const auto add = [&](const char* key, const std::string& text) {
        if (!text.empty()) object[key] = text;
    };
    add("vendor", disk.vendor);
    add("model", disk.model);
    add("serial", disk.serial);
    add("transport", disk.transport);
    add("target_iqn", disk.target_iqn);
    if (disk.lun >= 0) object["lun"] = disk.lun;
    return object;
}

Result<std::vector<LunSnapshot>> parse_snapshots(const Json& result, const std::vector<std::string>& origins) {
    const auto list = result.is_object() ? result.find("snapshots") : result.end();
    if (!result.is_object() || list == result.end() || !list->is_array()) return bad("it has no list \"snapshots\"");
    std::vector<LunSnapshot> snapshots;
    for (const auto& origin : origins) {
        const auto is_its = [&](const Json& entry) { return entry.is_object() && field(entry, "origin") == origin; };
        const auto found = std::find_if(list->begin(), list->end(), is_its);
        if (found == list->end()) return bad("no snapshot of LUN " + origin);
        if (std::find_if(std::next(found), list->end(), is_its) != list->end()) return bad("two snapshots of LUN " + origin);
        LunSnapshot snapshot{.origin = origin,
                             .snapshot = field(*found, "snapshot"),
                             .wwid = field(*found, "wwid"),
                             .device = field(*found, "device"),
                             .taken_at = printable(field(*found, "taken_at"), 100),
                             .reference = found->value("reference", Json())};
        if (snapshot.snapshot.empty()) return bad("the snapshot of LUN " + origin + " has no name (\"snapshot\")");
        if (has_control(snapshot.snapshot) || has_control(snapshot.wwid) || has_control(snapshot.device))
            return bad("control characters in the snapshot of LUN " + origin);
        if (snapshot.wwid == origin) return bad("the snapshot of LUN " + origin + " has the WWID of its origin");
        if (!snapshot.device.empty() &&
            (!snapshot.device.starts_with("/dev/") || snapshot.device.find("/../") != std::string::npos))
            return bad("'" + printable(snapshot.device, 80) + "' is no device");
        snapshots.push_back(std::move(snapshot));
    }
    return snapshots;
}

Json snapshot_to_json(const LunSnapshot& snapshot) {
    Json object = {{"origin", snapshot.origin}, {"snapshot", snapshot.snapshot}};
    if (!snapshot.wwid.empty()) object["wwid"] = snapshot.wwid;
    if (!snapshot.device.empty()) object["device"] = snapshot.device;
    if (!snapshot.taken_at.empty()) object["taken_at"] = snapshot.taken_at;
    if (!snapshot.reference.is_null()) object["reference"] = snapshot.reference;
    return object;
}

std::optional<LunPart> mountable_part(const Volume& volume, const Inventory& inventory) {
    if (volume.devices.size() != 1) return std::nullopt;
    LunPart part;
    auto number = volume.devices.front();
    // A disk, its partition, a multipath device, its partition: never more than four.
    for (int depth = 0; depth < 4; ++depth) {
        const BlockNode* node = inventory.graph().find(number);
        if (node == nullptr) return std::nullopt;
        if (node->kind == BlockNode::Kind::disk) return part;
        const bool mapped = node->kind == BlockNode::Kind::device_mapper;
        if (mapped && node->dm_uuid.starts_with("mpath-")) return part; // its paths all lead to one LUN
        if ((!mapped && node->kind != BlockNode::Kind::partition) || node->lower.size() != 1) return std::nullopt;
        const auto partition = partition_number(*node, inventory.graph());
        if (!partition || part.partition != 0) return std::nullopt;
        part.partition = *partition;
        number = node->lower.front();
    }
    return std::nullopt;
}

std::string snapshot_device(const LunSnapshot& snapshot, LunPart part, const std::string& by_id) {
    const auto suffix = [&](bool link, bool ends_in_digit) -> std::string {
        if (part.partition == 0) return "";
        return (link ? "-part" : ends_in_digit ? "p" : "") + std::to_string(part.partition);
    };
    if (!snapshot.device.empty()) {
        const bool digit = std::isdigit(static_cast<unsigned char>(snapshot.device.back())) != 0;
        return snapshot.device + suffix(snapshot.device.starts_with("/dev/disk/"), digit);
    }
    // udev's names (60-persistent-storage.rules): ID_WWN_WITH_EXTENSION for SCSI, the wwid itself for NVMe.
    std::string wwid = snapshot.wwid;
    std::transform(wwid.begin(), wwid.end(), wwid.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (wwid.find('/') != std::string::npos) return "";
    if (wwid.starts_with("naa.")) return by_id + "/wwn-0x" + wwid.substr(4) + suffix(true, false);
    if (wwid.starts_with("eui.")) return by_id + "/nvme-" + wwid + suffix(true, false);
    return "";
}

} // namespace quiesced
