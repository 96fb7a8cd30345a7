// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/planner.h"

#include <algorithm>
#include <set>

namespace quiesced {
namespace {

/// A loop volume's data are in another volume's file: a snapshot of the loop device would be one of that file only.
Result<void> refuse_loop(const Volume& volume, const Inventory& inventory) {
    // First: a volume that lies on itself must not be walked any further.
    if (auto stacked = inventory.stacked_on(volume); !stacked) return pass(stacked);
    const bool on_loop = std::any_of(volume.devices.begin(), volume.devices.end(), [&](DeviceNumber number) {
        const auto leaves = inventory.graph().leaves(number);
        return leaves && std::any_of(leaves->begin(), leaves->end(), [&](DeviceNumber leaf) {
                   const auto* node = inventory.graph().find(leaf);
                   return node != nullptr && node->kind == BlockNode::Kind::loop && node->backing;
               });
    });
    if (!on_loop) return {};
    const auto* backing = inventory.backing_of(volume);
    return fail(ErrorKind::loop_backing, volume.name + " lies in a loop file" + (backing != nullptr ? " on " + backing->name : ""),
                backing != nullptr ? "Take " + backing->name + " instead: what is mounted from its files is frozen along with it."
                                   : "Take the volume that holds the file instead.");
}

Result<void> check_snapshotable(const Volume& volume, const Inventory& inventory) {
    if (volume.placement == Placement::network || volume.placement == Placement::none)
        if (volume.devices.empty())
            return fail(ErrorKind::unsupported, volume.name + " (" + volume.file_system + ") lies on no disk",
                        "Only file systems on disks can be in a set.");
    if (volume.mounts.empty())
        return fail(ErrorKind::not_mounted, volume.name + " is not mounted",
                    "Mount it, or leave it out: an unmounted file system needs no freeze to be copied.");
    if (volume.mounts.front().hidden)
        return fail(ErrorKind::not_mounted, "every mount of " + volume.name + " is covered by another mount and cannot be reached",
                    "Mount it at a second place, or unmount what covers it.");
    return refuse_loop(volume, inventory);
}

Result<std::vector<PlannedVolume>> resolve_members(const std::vector<std::string>& names, const Inventory& inventory) {
    std::vector<PlannedVolume> members;
    for (const auto& name : names) {
        auto volume = inventory.resolve(name);
        if (!volume) return pass(volume);
        const auto same = [&](const PlannedVolume& other) { return other.volume.superblock == (*volume)->superblock && other.volume.name == (*volume)->name; };
        if (const auto twice = std::find_if(members.begin(), members.end(), same); twice != members.end())
            return fail(ErrorKind::duplicate_volume, "'" + name + "' is " + twice->volume.name + ", which is in the set already",
                        "Name each volume once.");
        if (auto good = check_snapshotable(**volume, inventory); !good) return pass(good);
        members.push_back({.volume = **volume, .provider = nullptr, .level = 0, .carried = false});
    }
    return members;
}

bool on_luns_only(const Volume& volume) { return volume.placement == Placement::lun; }

Error nobody(const Volume& volume, const Inventory& inventory, const std::vector<std::shared_ptr<Provider>>& providers) {
    std::string disks;
    for (const auto& leaf : volume.leaves)
        if (const auto disk = inventory.disks().find(leaf); disk != inventory.disks().end())
            disks += (disks.empty() ? "" : ", ") + disk->second.name + (disk->second.wwid.empty() ? "" : " (" + disk->second.wwid + ")");
    if (on_luns_only(volume)) {
        std::string plugins;
        for (const auto& provider : providers)
            if (provider->name() != "lvm") plugins += (plugins.empty() ? "" : ", ") + provider->name();
        if (plugins.empty())
            return {.kind = ErrorKind::plugin_missing,
                    .error_number = 0,
                    .context = volume.name + " lies on a SAN LUN (" + disks + ") and no plugin is there to snapshot it",
                    .advice = "Install the array's plugin, then: systemctl enable --now quiesced-plugin-NAME.socket",
                    .undone = {}};
        return {.kind = ErrorKind::no_provider,
                .error_number = 0,
                .context = volume.name + " lies on a SAN LUN (" + disks + ") that no plugin knows (asked: " + plugins + ")",
                .advice = "Check the plugin's configuration: it must name this LUN's array.",
                .undone = {}};
    }
    return {.kind = ErrorKind::no_provider,
            .error_number = 0,
            .context = "nothing here can take a snapshot of " + volume.name + " (" + volume.device_path + ")",
            .advice = "It must lie on an LVM logical volume or on a LUN that a plugin knows.",
            .undone = {}};
}

Result<void> choose_providers(std::vector<PlannedVolume>& members, const Inventory& inventory,
                              const std::vector<std::shared_ptr<Provider>>& providers) {
    for (const auto& provider : providers) {
        std::vector<const Volume*> open;
        std::vector<std::size_t> indexes;
        for (std::size_t i = 0; i < members.size(); ++i) {
            if (members[i].provider) continue;
            open.push_back(&members[i].volume);
            indexes.push_back(i);
        }
        if (open.empty()) break;
        auto claimed = provider->claim(open, inventory);
        if (!claimed) return pass(claimed);
        for (const auto index : *claimed)
            if (index < indexes.size()) members[indexes[index]].provider = provider;
    }
    for (const auto& member : members)
        if (!member.provider) return tl::unexpected<Error>(nobody(member.volume, inventory, providers));
    return {};
}

/// Volumes in loop files on members are frozen along, and before what holds their file (facts: the other order hangs).
Result<std::vector<PlannedVolume>> find_carried(const std::vector<PlannedVolume>& members, const Inventory& inventory) {
    std::vector<PlannedVolume> carried;
    for (const auto& member : members) {
        auto stacked = inventory.stacked_on(member.volume);
        if (!stacked) return pass(stacked);
        for (const auto* volume : *stacked) {
            const auto same = [&](const PlannedVolume& other) { return other.volume.superblock == volume->superblock; };
            if (volume->mounts.empty() || volume->mounts.front().hidden || std::any_of(carried.begin(), carried.end(), same)) continue;
            carried.push_back({.volume = *volume, .provider = nullptr, .level = 0, .carried = true});
        }
    }
    return carried;
}

/// How many loop files deep a volume lies.
int depth(const Volume& volume, const Inventory& inventory) {
    int count = 0;
    for (const auto* below = inventory.backing_of(volume); below != nullptr && count < 64; below = inventory.backing_of(*below)) ++count;
    return count;
}

void set_levels(SetPlan& plan) {
    int deepest = 0;
    for (const auto& entry : plan.members) deepest = std::max(deepest, depth(entry.volume, *plan.inventory));
    for (const auto& entry : plan.carried) deepest = std::max(deepest, depth(entry.volume, *plan.inventory));
    for (auto& entry : plan.members) entry.level = deepest - depth(entry.volume, *plan.inventory);
    for (auto& entry : plan.carried) entry.level = deepest - depth(entry.volume, *plan.inventory);
}

} // namespace

Result<SetPlan> plan_set(const std::vector<std::string>& names, std::shared_ptr<const Inventory> inventory,
                         const std::vector<std::shared_ptr<Provider>>& providers) {
    if (names.empty()) return fail(ErrorKind::invalid_argument, "a set needs at least one volume", "See: quiescectl volumes");
    if (names.size() > kMostVolumes)
        return fail(ErrorKind::invalid_argument, "a set can have at most " + std::to_string(kMostVolumes) + " volumes");
    auto members = resolve_members(names, *inventory);
    if (!members) return pass(members);
    if (auto chosen = choose_providers(*members, *inventory, providers); !chosen) return pass(chosen);
    auto carried = find_carried(*members, *inventory);
    if (!carried) return pass(carried);
    SetPlan plan{.members = std::move(*members), .carried = std::move(*carried), .inventory = std::move(inventory)};
    set_levels(plan);
    return plan;
}

} // namespace quiesced
