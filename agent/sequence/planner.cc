// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/planner.h"

#include <algorithm>

#include "snapshot/dm_names.h"
#include "snapshot/lvm_reference.h"

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
    if (volume.mounts.front().behind_remote)
        return fail(ErrorKind::unsupported, volume.name + " is mounted below a network or FUSE mount, and opening it may block for ever",
                    "Mount it at a second place.");
    return refuse_loop(volume, inventory);
}

std::string chosen_for(const std::string& name, const ProviderChoice& choice) {
    const auto found = choice.find(name);
    return found == choice.end() ? std::string() : found->second;
}

std::vector<PlannedVolume> resolve_members(const std::vector<std::string>& names, const Inventory& inventory, const ProviderChoice& choice) {
    std::vector<PlannedVolume> members;
    for (const auto& name : names) {
        PlannedVolume member;
        member.chosen = chosen_for(name, choice);
        const auto volume = inventory.resolve(name);
        if (!volume) {
            member.volume.name = name;
            member.error = volume.error();
            members.push_back(std::move(member));
            continue;
        }
        member.volume = **volume;
        const auto same = [&](const PlannedVolume& other) {
            return other.volume.superblock == member.volume.superblock && other.volume.name == member.volume.name;
        };
        if (std::any_of(members.begin(), members.end(), same))
            member.error = fail(ErrorKind::duplicate_volume, "'" + name + "' is " + member.volume.name + ", which is in the set already",
                                "Name each volume once.").value();
        else if (auto good = check_snapshotable(member.volume, inventory); !good)
            member.error = good.error();
        members.push_back(std::move(member));
    }
    return members;
}

/// In the guest, as against on an array or by the host.
bool is_own(const Provider& provider) { return provider.name() == kLvmProviderName || provider.name() == kDmProviderName; }

bool on_luns_only(const Volume& volume) { return volume.placement == Placement::lun; }

Error nobody(const PlannedVolume& member, const Inventory& inventory, const std::vector<std::shared_ptr<Provider>>& providers) {
    const auto& volume = member.volume;
    std::string disks;
    for (const auto& leaf : volume.leaves)
        if (const auto disk = inventory.disks().find(leaf); disk != inventory.disks().end())
            disks += (disks.empty() ? "" : ", ") + disk->second.name + (disk->second.wwid.empty() ? "" : " (" + disk->second.wwid + ")");
    if (on_luns_only(volume)) {
        std::string plugins;
        for (const auto& provider : providers)
            if (!is_own(*provider) && !provider->only_on_request()) plugins += (plugins.empty() ? "" : ", ") + provider->name();
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
    // What dm says is the reason for everything that is no logical volume.
    std::string reason;
    for (const auto& refusal : member.refusals)
        if (refusal.provider == kDmProviderName) reason = ": " + refusal.reason;
    return {.kind = ErrorKind::no_provider,
            .error_number = 0,
            .context = "nothing here can take a snapshot of " + volume.name + " (" + volume.device_path + ")" + reason,
            .advice = "It must lie on an LVM logical volume, on a device-mapper device, or on a LUN that a plugin knows; or choose the provider "
                      "'host' for it, if the hypervisor takes its snapshot.",
            .undone = {}};
}

/// Why the one that the requestor chose does not take it.
Error unwilling(const PlannedVolume& member, const std::vector<std::shared_ptr<Provider>>& providers) {
    const auto known = std::any_of(providers.begin(), providers.end(), [&](const auto& provider) { return provider->name() == member.chosen; });
    if (!known)
        return {.kind = ErrorKind::plugin_missing, .error_number = 0,
                .context = "there is no provider '" + member.chosen + "', which was chosen for " + member.volume.name,
                .advice = "If it is a plugin: systemctl enable --now quiesced-plugin-" + member.chosen + ".socket", .undone = {}};
    std::string reason;
    for (const auto& refusal : member.refusals)
        if (refusal.provider == member.chosen) reason = refusal.reason;
    return {.kind = ErrorKind::no_provider, .error_number = 0,
            .context = "the provider '" + member.chosen + "', which was chosen for " + member.volume.name + ", does not take it: " + reason,
            .advice = "Choose another one, or none.", .undone = {}};
}

/// After a plugin could not be asked, the volume may be its own: another plugin's word is as good, but not the guest's own, whose
/// snapshot would be of another kind than what the requestor gets on other days.
bool may_take(const PlannedVolume& member, const Provider& provider) { return !member.error || !is_own(provider); }

/// Why a provider is not even asked for a member; empty when it is.
std::string not_asked(const PlannedVolume& member, const Provider& provider) {
    if (member.provider) return "not asked, because " + member.provider->name() + " takes it";
    if (!member.chosen.empty() && member.chosen != provider.name()) return "not asked, because " + member.chosen + " was chosen for it";
    if (member.chosen.empty() && provider.only_on_request()) return "not asked, because it takes only what it is chosen for";
    if (!may_take(member, provider)) return "not asked, because a plugin that may take it could not be";
    return {};
}

void choose_providers(std::vector<PlannedVolume>& members, const Inventory& inventory,
                      const std::vector<std::shared_ptr<Provider>>& providers) {
    std::vector<PlannedVolume*> sound;
    for (auto& member : members)
        if (!member.error) sound.push_back(&member);
    for (const auto& provider : providers) {
        std::vector<const Volume*> offered;
        std::vector<PlannedVolume*> asked;
        for (auto* member : sound) {
            if (auto why = not_asked(*member, *provider); !why.empty()) {
                member->refusals.push_back({provider->name(), std::move(why)});
                continue;
            }
            offered.push_back(&member->volume);
            asked.push_back(member);
        }
        if (asked.empty()) continue;
        auto claims = provider->claim(offered, inventory);
        claims.resize(asked.size());
        for (std::size_t i = 0; i < asked.size(); ++i) {
            auto& member = *asked[i];
            auto& claim = claims[i];
            if (claim.taken) {
                member.provider = provider;
                member.reason = claim.reason;
                member.error.reset();
                continue;
            }
            member.refusals.push_back({provider->name(), claim.error ? claim.error->message() : claim.reason});
            if (claim.error && !member.error) member.error = claim.error;
        }
    }
    for (auto* member : sound)
        if (!member->provider && !member->error)
            member->error = member->chosen.empty() ? nobody(*member, inventory, providers) : unwilling(*member, providers);
}

/// Volumes in loop files on members are frozen along, and before what holds their file (facts: the other order hangs).
std::vector<PlannedVolume> find_carried(std::vector<PlannedVolume>& members, const Inventory& inventory) {
    std::vector<PlannedVolume> carried;
    for (auto& member : members) {
        if (member.error) continue;
        auto stacked = inventory.stacked_on(member.volume);
        if (!stacked) {
            member.error = stacked.error();
            continue;
        }
        for (const auto* volume : *stacked) {
            const auto same = [&](const PlannedVolume& other) { return other.volume.superblock == volume->superblock; };
            if (volume->mounts.empty() || volume->mounts.front().hidden || volume->mounts.front().behind_remote ||
                std::any_of(carried.begin(), carried.end(), same)) continue;
            PlannedVolume entry;
            entry.volume = *volume;
            entry.carried = true;
            entry.inside = member.volume.name;
            carried.push_back(std::move(entry));
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
    std::vector<PlannedVolume*> frozen;
    for (auto* group : {&plan.members, &plan.carried})
        for (auto& entry : *group)
            if (!entry.error) frozen.push_back(&entry);
    int deepest = 0;
    for (const auto* entry : frozen) deepest = std::max(deepest, depth(entry->volume, *plan.inventory));
    for (auto* entry : frozen) entry->level = deepest - depth(entry->volume, *plan.inventory);
}

SetPlan plan_members(std::vector<PlannedVolume> members, std::shared_ptr<const Inventory> inventory,
                     const std::vector<std::shared_ptr<Provider>>& providers) {
    SetPlan plan{.members = std::move(members), .carried = {}, .inventory = std::move(inventory)};
    choose_providers(plan.members, *plan.inventory, providers);
    std::size_t good = 0;
    for (auto& member : plan.members)
        if (!member.error && ++good > kMostVolumes)
            member.error = fail(ErrorKind::limit, "a set can have at most " + std::to_string(kMostVolumes) + " volumes", "Take the others in a second set.").value();
    plan.carried = find_carried(plan.members, *plan.inventory);
    set_levels(plan);
    return plan;
}

} // namespace

SetPlan plan_volumes(const std::vector<std::string>& names, std::shared_ptr<const Inventory> inventory,
                     const std::vector<std::shared_ptr<Provider>>& providers, const ProviderChoice& choice) {
    auto members = resolve_members(names, *inventory, choice);
    return plan_members(std::move(members), std::move(inventory), providers);
}

SetPlan plan_all(std::shared_ptr<const Inventory> inventory, const std::vector<std::shared_ptr<Provider>>& providers,
                 const ProviderChoice& choice) {
    std::vector<PlannedVolume> members;
    for (const auto& volume : inventory->volumes()) {
        PlannedVolume member;
        member.volume = volume;
        member.chosen = chosen_for(volume.name, choice);
        if (auto good = check_snapshotable(volume, *inventory); !good) member.error = good.error();
        else if (auto found = inventory->resolve(volume.name); !found) member.error = found.error();
        members.push_back(std::move(member));
    }
    return plan_members(std::move(members), std::move(inventory), providers);
}

Result<void> check_count(std::size_t volumes) {
    if (volumes == 0) return fail(ErrorKind::invalid_argument, "a set needs at least one volume", "See: quiescectl volumes");
    if (volumes > kMostVolumes)
        return fail(ErrorKind::invalid_argument, "a set can have at most " + std::to_string(kMostVolumes) + " volumes");
    return {};
}

Result<void> check_choice(const std::vector<std::string>& names, const ProviderChoice& choice) {
    for (const auto& [name, provider] : choice)
        if (std::find(names.begin(), names.end(), name) == names.end())
            return fail(ErrorKind::invalid_argument, "the provider '" + provider + "' is chosen for '" + name + "', which is none of the volumes",
                        "Name it as among the volumes.");
    return {};
}

Result<SetPlan> plan_set(const std::vector<std::string>& names, std::shared_ptr<const Inventory> inventory,
                         const std::vector<std::shared_ptr<Provider>>& providers, const ProviderChoice& choice) {
    if (auto good = check_count(names.size()); !good) return pass(good);
    if (auto good = check_choice(names, choice); !good) return pass(good);
    auto plan = plan_volumes(names, std::move(inventory), providers, choice);
    for (const auto& member : plan.members)
        if (member.error) return tl::unexpected<Error>(*member.error);
    return plan;
}

} // namespace quiesced
