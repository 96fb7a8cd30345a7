// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_provider.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "snapshot/dm_names.h"
#include "snapshot/lvm_extend.h"
#include "snapshot/lvm_fill.h"
#include "snapshot/lvm_reference.h"
#include "snapshot/lvm_removal.h"
#include "snapshot/lvm_revert.h"
#include "snapshot/lvm_session.h"
#include "snapshot/lvm_tags.h"

namespace quiesced {
namespace {

/// The member that a volume makes, when its one device is a logical volume; else why not.
tl::expected<LvmMember, std::string> member_of(const Volume& volume, const Inventory& inventory) {
    if (volume.devices.empty()) return tl::unexpected<std::string>("no block device belongs to it");
    if (volume.devices.size() > 1)
        return tl::unexpected<std::string>("it lies on " + std::to_string(volume.devices.size()) +
                                           " devices, of which LVM would take one after another");
    const auto* node = inventory.graph().find(volume.devices.front());
    const auto group = node != nullptr && is_lvm_uuid(node->dm_uuid) ? lvm_group_of(node->dm_name) : std::string();
    if (group.empty()) return tl::unexpected<std::string>(volume.device_path + " is no logical volume");
    return LvmMember{.volume = volume.name, .dm_uuid = node->dm_uuid, .group = group, .file_system = volume.file_system};
}

/// Nothing where its mount cannot be asked.
std::optional<std::uint64_t> used_bytes(const Volume& volume) {
    struct statvfs status {};
    if (volume.mounts.empty() || ::statvfs(volume.mounts.front().open_path().c_str(), &status) != 0 || status.f_blocks < status.f_bfree)
        return std::nullopt;
    return static_cast<std::uint64_t>(status.f_blocks - status.f_bfree) * status.f_frsize;
}

Claim claim_of(const LogicalVolume& volume) {
    const auto what = volume.full_name() + " is a ";
    switch (volume.kind()) {
    case LogicalVolume::Kind::thick:
        return {.taken = true, .reason = what + "thick logical volume (" + volume.segment_type + ")", .error = {}};
    case LogicalVolume::Kind::thin:
        return {.taken = true, .reason = what + "thin volume of the pool " + volume.group + "/" + volume.pool, .error = {}};
    case LogicalVolume::Kind::pool:
    case LogicalVolume::Kind::other: break;
    }
    const auto type = volume.origin.empty() ? "logical volume of the type " + volume.segment_type : "snapshot of " + volume.group + "/" + volume.origin;
    return {.taken = false, .reason = what + type + ", of which LVM takes no snapshot here", .error = {}};
}

} // namespace

// lvcreate suspends the origin with lockfs. Before freezes could be nested (Linux 6.8) that is refused on a frozen file system, and
// lvcreate leaves "-real" and half a snapshot behind, which cannot be mended while it is mounted. There is no way to find
// out by trying that does not do the damage.
bool LvmProvider::arm_needs_thawed() const {
    utsname system{};
    unsigned major = 0;
    unsigned minor = 0;
    if (::uname(&system) != 0 || std::sscanf(system.release, "%u.%u", &major, &minor) != 2) return true;
    return major < 6 || (major == 6 && minor < 8);
}

std::string LvmProvider::name() const { return kLvmProviderName; }

std::vector<Claim> LvmProvider::claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) {
    std::vector<Claim> claims(volumes.size());
    std::map<std::size_t, LvmMember> candidates;
    std::set<std::string> groups;
    for (std::size_t index = 0; index < volumes.size(); ++index) {
        auto member = member_of(*volumes[index], inventory);
        if (!member) {
            claims[index].reason = member.error();
            continue;
        }
        groups.insert(member->group);
        candidates.emplace(index, std::move(*member));
    }
    if (candidates.empty()) return claims;
    const auto known = LvmCommand(*runner_).list({groups.begin(), groups.end()});
    for (const auto& [index, member] : candidates) {
        if (!known) {
            claims[index].error = known.error();
            continue;
        }
        const auto volume =
            std::find_if(known->begin(), known->end(),
                         [&uuid = member.dm_uuid](const LogicalVolume& lv) { return lv.dm_uuid() == uuid; });
        if (volume != known->end())
            claims[index] = claim_of(*volume);
        else
            claims[index].reason = "lvs does not report its logical volume in the volume group " + member.group;
    }
    return claims;
}

Result<std::unique_ptr<ProviderSession>> LvmProvider::begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                            const Inventory& inventory, const SnapshotWishes& wishes) {
    std::vector<LvmMember> members;
    for (const auto* volume : volumes) {
        auto member = member_of(*volume, inventory);
        if (!member)
            return fail(ErrorKind::no_provider,
                        "LVM takes no snapshot of " + volume->name + ": " + member.error());
        const auto written = wishes.written.find(volume->devices.front());
        if (written != wishes.written.end()) member->written = written->second;
        if (wishes.store.base == StorePolicy::Base::used) member->used = used_bytes(*volume);
        members.push_back(std::move(*member));
    }
    return std::make_unique<LvmSession>(set, std::move(members), wishes.store, runner_, tables_);
}

Result<std::vector<SnapshotRecord>> LvmProvider::map(const SetId& set, std::vector<SnapshotRecord> records) {
    const LvmCommand lvm(*runner_);
    const auto tagged = lvm.list_tagged(lvm_set_tag(set));
    if (!tagged) return tl::unexpected<Error>(tagged.error());
    std::set<std::string> inactive;
    for (auto& record : records) {
        const auto reference = lvm_reference_from_json(record.reference);
        if (!reference) return tl::unexpected<Error>(reference.error());
        const auto volume = std::find_if(tagged->begin(), tagged->end(), [&](const LogicalVolume& lv) { return lv.uuid == reference->uuid; });
        if (volume == tagged->end())
            return fail(ErrorKind::no_such_volume, "the snapshot " + record.snapshot + " of " + record.volume + " is gone",
                        "Somebody removed it, or its tag " + lvm_set_tag(set) + ": see lvs -o +lv_tags.");
        if (volume->is_invalid())
            return fail(ErrorKind::no_space, "the snapshot " + volume->full_name() + " of " + record.volume + " is lost: its copy-on-write store was full",
                        "Delete the set, and give snapshots a larger store.");
        if (!volume->is_active()) inactive.insert(volume->full_name());
        // An admin may have renamed it.
        record.snapshot = volume->full_name();
        record.device = "/dev/" + volume->full_name();
    }
    if (auto active = lvm.activate({inactive.begin(), inactive.end()}); !active) return pass(active);
    return records;
}

std::vector<Fill> LvmProvider::fills(const std::vector<SnapshotRecord>& records) const {
    std::vector<Fill> all;
    for (const auto& record : records) {
        const auto reference = lvm_reference_from_json(record.reference);
        if (!reference) continue;
        for (auto& fill : lvm_fills(*tables_, record.volume, *reference)) all.push_back(std::move(fill));
    }
    return all;
}

Result<Extension> LvmProvider::extend(const SnapshotRecord& record, const Fill& fill, unsigned percent) {
    return lvm_extend(LvmCommand(*runner_), record, fill, percent);
}

Result<void> LvmProvider::check_revert(const SetId& set, const std::vector<SnapshotRecord>& records) {
    return lvm_check_revert(LvmCommand(*runner_), set, records);
}

Result<void> LvmProvider::revert(const SetId& set, const std::vector<SnapshotRecord>& records) { return lvm_revert(LvmCommand(*runner_), set, records); }

Result<std::vector<Merge>> LvmProvider::merges(const SetId& /*set*/, const std::vector<SnapshotRecord>& records) {
    return lvm_merges(LvmCommand(*runner_), *tables_, records);
}

Result<std::vector<FoundSnapshot>> LvmProvider::find_all() {
    const auto tagged = LvmCommand(*runner_).list_tagged(kLvmTag);
    if (!tagged) return tl::unexpected<Error>(tagged.error());
    std::vector<FoundSnapshot> found;
    for (const auto& volume : *tagged) {
        const auto set = lvm_tagged_set(volume);
        if (!set || volume.origin.empty()) continue;
        const LvmReference reference{.group = volume.group, .name = volume.name, .kind = volume.pool.empty() ? "thick" : "thin", .uuid = volume.uuid,
                                     .monitored = false, .dm_uuid = volume.dm_uuid(), .pool = volume.pool};
        for (const auto& member : lvm_tagged_members(volume))
            found.push_back({.set = *set,
                             .record = {.volume = member.volume, .provider = kLvmProviderName, .snapshot = volume.full_name(),
                                        .device = "/dev/" + volume.full_name(), .reference = lvm_reference_to_json(reference)},
                             .file_system = member.file_system,
                             .origin = "/dev/" + volume.group + "/" + volume.origin,
                             .cut = volume.has_tag(kLvmCutTag)});
    }
    return found;
}

Result<void> LvmProvider::remove(const SetId& set, const std::vector<SnapshotRecord>& records) {
    std::set<std::string> uuids;
    for (const auto& record : records) {
        if (record.provider != kLvmProviderName) continue;
        const auto reference = lvm_reference_from_json(record.reference);
        if (!reference) return tl::unexpected<Error>(reference.error());
        uuids.insert(reference->uuid);
    }
    if (uuids.empty()) return {};
    const LvmCommand lvm(*runner_);
    const auto tagged = lvm.list_tagged(lvm_set_tag(set));
    if (!tagged) return tl::unexpected<Error>(tagged.error());
    std::vector<LogicalVolume> snapshots;
    for (const auto& volume : *tagged)
        if (volume.has_tag(lvm_set_tag(set)) && uuids.count(volume.uuid) != 0) snapshots.push_back(volume);
    return lvm_remove_snapshots(lvm, *tables_, set, snapshots);
}

Result<void> LvmProvider::abandon(const SetId& set) {
    const LvmCommand lvm(*runner_);
    const auto tagged = lvm.list_tagged(lvm_set_tag(set));
    if (!tagged) return tl::unexpected<Error>(tagged.error());
    std::vector<LogicalVolume> snapshots;
    for (const auto& volume : *tagged)
        if (volume.has_tag(lvm_set_tag(set)) && !volume.has_tag(kDmStoreTag)) snapshots.push_back(volume);
    return lvm_remove_snapshots(lvm, *tables_, set, snapshots);
}

} // namespace quiesced
