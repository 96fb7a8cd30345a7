// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_revert.h"

#include <algorithm>
#include <cstdint>
#include <sstream>

#include "snapshot/lvm_reference.h"

namespace quiesced {
namespace {

const LogicalVolume* find_uuid(const std::vector<LogicalVolume>& volumes, const std::string& uuid) {
    const auto found = std::find_if(volumes.begin(), volumes.end(), [&](const LogicalVolume& volume) { return volume.uuid == uuid; });
    return found == volumes.end() ? nullptr : &*found;
}

const LogicalVolume* find_name(const std::vector<LogicalVolume>& volumes, const std::string& group, const std::string& name) {
    const auto found = std::find_if(volumes.begin(), volumes.end(), [&](const LogicalVolume& volume) { return volume.group == group && volume.name == name; });
    return found == volumes.end() ? nullptr : &*found;
}

/// Snapshots with their origins, each once.
struct Pair {
    LogicalVolume snapshot, origin;
};

Result<Pair> checked_pair(const std::vector<LogicalVolume>& volumes, const SetId& set, const SnapshotRecord& record, const std::string& uuid) {
    const auto* snapshot = find_uuid(volumes, uuid);
    if (snapshot == nullptr || !snapshot->has_tag(lvm_set_tag(set)))
        return fail(ErrorKind::no_such_volume, "the snapshot " + record.snapshot + " of " + record.volume + " is gone",
                    "Somebody removed it, or its tag " + lvm_set_tag(set) + ": see lvs -o +lv_tags.");
    if (snapshot->is_invalid())
        return fail(ErrorKind::no_space, "the snapshot " + snapshot->full_name() + " of " + record.volume + " is lost: its copy-on-write store was full");
    // LVM would put the merge off without a word of it.
    if (snapshot->is_open())
        return fail(ErrorKind::busy, "the snapshot " + snapshot->full_name() + " of " + record.volume + " is in use", "Unmount it: quiescectl umount " + set.text());
    const auto* origin = find_name(volumes, snapshot->group, snapshot->origin);
    if (origin == nullptr)
        return fail(ErrorKind::no_such_volume, "the origin of " + snapshot->full_name() + " (" + record.volume + ") is gone", "The snapshot can be copied, or renamed to take its place.");
    if (origin->is_merging())
        return fail(ErrorKind::busy, "another snapshot is being merged into " + origin->full_name() + " (" + record.volume + ")", "Wait until `lvs` no longer shows the merge.");
    return Pair{.snapshot = *snapshot, .origin = *origin};
}

Result<std::vector<Pair>> checked_pairs(const LvmCommand& lvm, const SetId& set, const std::vector<SnapshotRecord>& records) {
    std::vector<std::string> groups;
    std::vector<std::string> uuids;
    for (const auto& record : records) {
        const auto reference = lvm_reference_from_json(record.reference);
        if (!reference) return tl::unexpected<Error>(reference.error());
        uuids.push_back(reference->uuid);
        if (std::find(groups.begin(), groups.end(), reference->group) == groups.end()) groups.push_back(reference->group);
    }
    const auto volumes = lvm.list(groups);
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (std::find(uuids.begin(), uuids.begin() + static_cast<std::ptrdiff_t>(i), uuids[i]) != uuids.begin() + static_cast<std::ptrdiff_t>(i)) continue;
        auto pair = checked_pair(*volumes, set, records[i], uuids[i]);
        if (!pair) return pass(pair);
        pairs.push_back(std::move(*pair));
    }
    return pairs;
}

/// dm-snap.c, snapshot_merge_status(): "<used>/<total> <metadata>" in sectors; what is used is still to be merged.
Merge thick_merge(const DmTables& tables, const LogicalVolume& origin) {
    const auto status = tables.status(origin.dm_uuid());
    if (!status || status->targets.size() != 1 || status->targets.front().type != "snapshot-merge") return {.progress = Merge::Progress::pending, .percent = {}};
    Merge merge{.progress = Merge::Progress::running, .percent = {}};
    std::istringstream words(status->targets.front().text);
    std::uint64_t used = 0;
    std::uint64_t total = 0;
    std::uint64_t metadata = 0;
    char slash = 0;
    if (words >> used >> slash >> total >> metadata && total > metadata && used >= metadata)
        merge.percent = 100.0 * static_cast<double>(total - std::min(used, total)) / static_cast<double>(total - metadata);
    return merge;
}

/// A thick snapshot that LVM has made a plain volume, and then not removed: the last step of a merge, of a removal, and of lvconvert --splitsnapshot.
/// An empty store tells the merge from the others (docs/kernel.md).
Result<bool> is_merged(const LogicalVolume& snapshot, const LvmReference& reference, const std::function<Result<bool>(const std::string&)>& is_empty) {
    if (reference.kind != "thick" || !snapshot.origin.empty() || snapshot.attributes.empty() || snapshot.attributes.front() != '-') return false;
    // Not activated here: who looks may do so while a window is open.
    if (!snapshot.is_active())
        return fail(ErrorKind::lvm_failed, "whether the merge of " + snapshot.full_name() + " was finished cannot be told while that is not active",
                    "Activate it, and look again: lvchange -ay " + snapshot.full_name());
    const auto empty = is_empty("/dev/" + snapshot.full_name());
    return empty && *empty; // what is no store is somebody else's by now
}

Result<Merge> merge_of(const DmTables& tables, const std::vector<LogicalVolume>& volumes, const LvmReference& reference,
                       const std::function<Result<bool>(const std::string&)>& is_empty) {
    // A thin snapshot has taken its origin's place, with the origin's name, UUID and tags (LVM 2.03.16): either kind's own UUID is gone.
    Merge merge{.progress = Merge::Progress::done, .percent = {}};
    const auto* snapshot = find_uuid(volumes, reference.uuid);
    if (snapshot == nullptr) return merge;
    const auto* origin = find_name(volumes, snapshot->group, snapshot->origin);
    if (origin != nullptr && origin->is_merging() && snapshot->is_merging()) {
        if (snapshot->pool.empty()) return thick_merge(tables, *origin);
        merge.progress = Merge::Progress::pending;
        return merge;
    }
    const auto merged = is_merged(*snapshot, reference, is_empty);
    if (!merged) return tl::unexpected<Error>(merged.error());
    merge.left_over = *merged;
    if (*merged) return merge;
    return Merge{.progress = Merge::Progress::none, .in_use = origin != nullptr && origin->is_open(), .percent = {}};
}

} // namespace

Result<void> lvm_check_revert(const LvmCommand& lvm, const SetId& set, const std::vector<SnapshotRecord>& records) {
    const auto pairs = checked_pairs(lvm, set, records);
    if (!pairs) return tl::unexpected<Error>(pairs.error());
    return {};
}

Result<void> lvm_revert(const LvmCommand& lvm, const SetId& set, const std::vector<SnapshotRecord>& records) {
    const auto pairs = checked_pairs(lvm, set, records);
    if (!pairs) return tl::unexpected<Error>(pairs.error());
    std::vector<std::string> names;
    for (const auto& pair : *pairs) names.push_back(pair.snapshot.full_name());
    return lvm.merge(names);
}

Result<std::vector<Merge>> lvm_merges(const LvmCommand& lvm, const DmTables& tables, const std::vector<SnapshotRecord>& records,
                                      const std::function<Result<bool>(const std::string&)>& is_empty) {
    std::vector<LvmReference> references;
    std::vector<std::string> groups;
    for (const auto& record : records) {
        auto reference = lvm_reference_from_json(record.reference);
        if (!reference) return pass(reference);
        if (std::find(groups.begin(), groups.end(), reference->group) == groups.end()) groups.push_back(reference->group);
        references.push_back(std::move(*reference));
    }
    const auto volumes = lvm.list_all(groups);
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    std::vector<Merge> merges;
    for (const auto& reference : references) {
        const auto merge = merge_of(tables, *volumes, reference, is_empty);
        if (!merge) return tl::unexpected<Error>(merge.error());
        merges.push_back(*merge);
    }
    return merges;
}

} // namespace quiesced
