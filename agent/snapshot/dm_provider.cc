// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_provider.h"

#include <sys/statvfs.h>

#include <map>

#include "snapshot/dm_extend.h"
#include "snapshot/dm_fill.h"
#include "snapshot/dm_names.h"
#include "snapshot/dm_origin.h"
#include "snapshot/dm_reference.h"
#include "snapshot/dm_undo.h"
#include "snapshot/lvm_tags.h"

namespace quiesced {
namespace {

/// What a device is that is none of device-mapper's; nothing can be put between it and a file system that is mounted from it.
std::string plain_kind(const BlockNode& node) {
    switch (node.kind) {
    case BlockNode::Kind::partition: return "a plain partition";
    case BlockNode::Kind::md: return "an MD array";
    case BlockNode::Kind::loop: return "a loop device";
    case BlockNode::Kind::disk:
    case BlockNode::Kind::device_mapper: break;
    }
    return "a whole disk";
}

std::optional<std::uint64_t> used_bytes(const Volume& volume) {
    struct statvfs status {};
    if (volume.mounts.empty() || ::statvfs(volume.mounts.front().open_path().c_str(), &status) != 0 || status.f_blocks < status.f_bfree)
        return std::nullopt;
    return static_cast<std::uint64_t>(status.f_blocks - status.f_bfree) * status.f_frsize;
}

Claim refused(std::string reason) { return {.taken = false, .reason = std::move(reason), .error = {}}; }

} // namespace

void DmProvider::set_store_group(const std::string& group) {
    const std::lock_guard lock(mutex_);
    store_group_ = group;
}

std::string DmProvider::store_group() const {
    const std::lock_guard lock(mutex_);
    return store_group_;
}

std::string DmProvider::name() const { return kDmProviderName; }

Claim DmProvider::claim_of(const Volume& volume, const Inventory& inventory, const std::string& group) const {
    if (volume.devices.empty()) return refused("no block device belongs to it");
    if (volume.devices.size() > 1)
        return refused("it lies on " + std::to_string(volume.devices.size()) + " devices, of which device-mapper would take one after another");
    const auto* node = inventory.graph().find(volume.devices.front());
    if (node == nullptr) return refused("no block device belongs to it");
    if (node->kind != BlockNode::Kind::device_mapper)
        return refused(volume.device_path + " is " + plain_kind(*node) + ", and device-mapper cannot step in below a file system that is mounted");
    if (node->dm_uuid.starts_with("LVM-")) return refused(volume.device_path + " is LVM's");
    const auto origin = tools_.devices->table(node->number);
    if (!origin) return {.taken = false, .reason = {}, .error = origin.error()};
    const auto real = real_of(*tools_.devices, *origin);
    if (!real) return {.taken = false, .reason = {}, .error = real.error()};
    const auto& own_table = *real ? **real : *origin;
    if (auto refusal = table_refusal(own_table); !refusal.empty()) return refused(std::move(refusal));
    const auto what = origin->name + " is a device-mapper device (" + table_kind(own_table) + ")";
    if (group.empty())
        return refused(what + ", and no volume group is configured for the copy-on-write stores of such: store_group in [dm] of quiesced.conf");
    return {.taken = true, .reason = what + "; its store goes to the volume group " + group, .error = {}};
}

std::vector<Claim> DmProvider::claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) {
    const auto group = store_group();
    std::vector<Claim> claims;
    for (const auto* volume : volumes) claims.push_back(claim_of(*volume, inventory, group));
    return claims;
}

Result<std::unique_ptr<ProviderSession>> DmProvider::begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                           const Inventory& inventory, const SnapshotWishes& wishes) {
    const auto group = store_group();
    std::vector<DmMember> members;
    for (const auto* volume : volumes) {
        const auto claim = claim_of(*volume, inventory, group);
        if (claim.error) return tl::unexpected<Error>(*claim.error);
        if (!claim.taken)
            return fail(ErrorKind::no_provider, "device-mapper takes no snapshot of " + volume->name + ": " + claim.reason);
        DmMember member{.volume = volume->name, .origin = volume->devices.front(), .file_system = volume->file_system};
        if (const auto written = wishes.written.find(member.origin); written != wishes.written.end()) member.written = written->second;
        if (wishes.store.base == StorePolicy::Base::used) member.used = used_bytes(*volume);
        members.push_back(std::move(member));
    }
    return std::make_unique<DmSession>(set, std::move(members), wishes.store, group, tools_);
}

Result<std::vector<SnapshotRecord>> DmProvider::map(const SetId& /*set*/, std::vector<SnapshotRecord> records) {
    for (auto& record : records) {
        const auto reference = dm_reference_from_json(record.reference);
        if (!reference) return tl::unexpected<Error>(reference.error());
        if (const auto lost = dm_snapshot_loss(*tools_.devices, *reference); !lost.empty())
            return fail(lost.find("full") != std::string::npos ? ErrorKind::no_space : ErrorKind::no_such_volume,
                        "the snapshot " + record.snapshot + " of " + record.volume + " is lost: " + lost, "Delete the set, and take a new one.");
        const auto device = tools_.devices->table(reference->snapshot);
        if (!device) return tl::unexpected<Error>(device.error());
        record.snapshot = device->name;
        record.device = "/dev/mapper/" + device->name;
    }
    return records;
}

std::vector<Fill> DmProvider::fills(const std::vector<SnapshotRecord>& records) const {
    std::vector<Fill> all;
    for (const auto& record : records) {
        const auto reference = dm_reference_from_json(record.reference);
        if (!reference) continue;
        for (auto& fill : dm_fills(*tools_.devices, record.volume, *reference)) all.push_back(std::move(fill));
    }
    return all;
}

Result<Extension> DmProvider::extend(const SnapshotRecord& record, const Fill& fill, unsigned percent) {
    const std::lock_guard lock(*tools_.changing);
    return dm_extend(*tools_.devices, LvmCommand(*tools_.runner), record, fill, percent);
}

Result<void> DmProvider::check_revert(const SetId& /*set*/, const std::vector<SnapshotRecord>& records) {
    if (records.empty()) return {};
    return fail(ErrorKind::unsupported,
                records.front().volume + " lies on a device-mapper device that is not LVM's, and is not put back to its snapshot: a merge that a reboot cuts off could not go on",
                "Copy back what is wanted: quiescectl mount shows the snapshot, and quiescectl diff the ranges that were written since.");
}

Result<std::vector<FoundSnapshot>> DmProvider::find_all() {
    const auto tagged = LvmCommand(*tools_.runner).list_tagged(kDmStoreTag);
    if (!tagged) return tl::unexpected<Error>(tagged.error());
    const auto devices = tools_.devices->list();
    if (!devices) return tl::unexpected<Error>(devices.error());
    std::vector<FoundSnapshot> found;
    for (const auto& store : *tagged) {
        const auto set = lvm_tagged_set(store);
        const auto index = set ? dm_store_index(*set, store.name) : std::nullopt;
        if (!index) continue;
        DmReference reference{.snapshot = dm_uuid({.set = *set, .index = *index, .part = DmPart::snapshot}), .origin = {}, .origin_name = {},
                              .group = store.group, .store = store.name, .store_uuid = store.uuid};
        // After a reboot there is none, and the set is lost.
        const auto snapshot = tools_.devices->table(reference.snapshot);
        const auto real = snapshot ? data_device(*snapshot) : std::nullopt;
        for (const auto& entry : *devices) {
            const auto table = real ? tools_.devices->table(entry.number) : fail_errno("", ENXIO);
            if (!table || single_target(*table, "snapshot-origin") == nullptr || data_device(*table) != real) continue;
            reference.origin = entry.number;
            reference.origin_name = entry.name;
        }
        for (const auto& member : lvm_tagged_members(store))
            found.push_back({.set = *set,
                             .record = {.volume = member.volume, .provider = kDmProviderName, .snapshot = snapshot ? snapshot->name : store.full_name(),
                                        .device = snapshot ? "/dev/mapper/" + snapshot->name : std::string(), .reference = dm_reference_to_json(reference)},
                             .file_system = member.file_system,
                             .origin = reference.origin_name.empty() ? std::string() : "/dev/mapper/" + reference.origin_name,
                             .cut = store.has_tag(kLvmCutTag)});
    }
    return found;
}

Result<void> DmProvider::remove(const SetId& set, const std::vector<SnapshotRecord>& records) { return records.empty() ? Result<void>{} : abandon(set); }

Result<void> DmProvider::abandon(const SetId& set) {
    const std::lock_guard lock(*tools_.changing);
    return undo_dm_set(set, *tools_.devices, LvmCommand(*tools_.runner));
}

} // namespace quiesced
