// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_removal.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace quiesced {
namespace {

using Origin = std::pair<std::string, std::string>; // group, name

/// LVM may know no longer of what it was a snapshot; we named it.
Origin origin_of(const LogicalVolume& snapshot, const SetId& set) {
    if (!snapshot.origin.empty()) return {snapshot.group, snapshot.origin};
    const auto suffix = "-q" + set.text();
    return {snapshot.group, snapshot.name.ends_with(suffix) ? snapshot.name.substr(0, snapshot.name.size() - suffix.size()) : std::string()};
}

/// Suspended, or over a device that only origins of snapshots have.
bool is_left(const DmTables& tables, const LogicalVolume& origin) {
    if (const auto device = tables.table(origin.dm_uuid()); device && device->suspended) return true;
    const bool has_snapshots = !origin.attributes.empty() && (origin.attributes[0] == 'o' || origin.attributes[0] == 'O');
    return !has_snapshots && tables.table(origin.dm_uuid() + "-real").has_value();
}

/// LVM holds the group's lock while anything of it is suspended on purpose: what refresh() finds so is left over.
Result<void> see_to(const LvmCommand& lvm, const DmTables& tables, const std::set<Origin>& origins) {
    std::set<std::string> groups;
    for (const auto& origin : origins) groups.insert(origin.first);
    const auto volumes = lvm.list({groups.begin(), groups.end()});
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    for (const auto& volume : *volumes)
        if (origins.contains({volume.group, volume.name}) && is_left(tables, volume))
            if (auto done = lvm.refresh(volume.full_name()); !done) return done;
    return {};
}

} // namespace

Result<void> lvm_remove_snapshots(const LvmCommand& lvm, const DmTables& tables, const SetId& set, const std::vector<LogicalVolume>& snapshots) {
    std::vector<std::string> names;
    std::set<Origin> origins;
    bool cut = false;
    for (const auto& snapshot : snapshots) {
        names.push_back(snapshot.full_name());
        // A thin one says so as long as it is there, and its removal suspends no origin.
        if (!snapshot.pool.empty()) continue;
        cut = cut || snapshot.origin.empty();
        origins.insert(origin_of(snapshot, set));
    }
    auto removed = lvm.remove(names);
    if ((removed && !cut) || origins.empty()) return removed;
    if (auto seen = see_to(lvm, tables, origins); !seen) {
        if (removed) return seen;
        removed.error().undone.push_back(seen.error().message());
    }
    return removed;
}

} // namespace quiesced
