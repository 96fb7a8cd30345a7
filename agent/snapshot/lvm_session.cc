// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_session.h"

#include <algorithm>
#include <map>
#include <utility>

#include "snapshot/lvm_chain.h"
#include "snapshot/lvm_reference.h"
#include "snapshot/lvm_removal.h"
#include "snapshot/lvm_tags.h"

namespace quiesced {
namespace {

const LogicalVolume* find_name(const std::vector<LogicalVolume>& volumes, const std::string& group,
                               const std::string& name) {
    const auto found = std::find_if(volumes.begin(), volumes.end(), [&](const LogicalVolume& volume) {
        return volume.group == group && volume.name == name;
    });
    return found == volumes.end() ? nullptr : &*found;
}

Result<void> check_origin(const LogicalVolume& origin, const std::string& volume) {
    if (origin.kind() != LogicalVolume::Kind::thick && origin.kind() != LogicalVolume::Kind::thin)
        return fail(ErrorKind::unsupported,
                    "LVM takes no snapshot of " + origin.full_name() + " (" + volume + "), which is of the type " +
                        origin.segment_type,
                    "Leave it out of the set, or let the host take its snapshot.");
    if (origin.is_merging())
        return fail(ErrorKind::busy, "a snapshot is being merged into " + origin.full_name() + " (" + volume + ")",
                    "Wait until `lvs` no longer shows the merge.");
    return {};
}

} // namespace

LvmSession::LvmSession(SetId set, std::vector<LvmMember> members, StorePolicy store,
                       std::shared_ptr<LvmRunner> runner, std::shared_ptr<const DmTables> tables)
    : set_(std::move(set)), members_(std::move(members)), store_(store), runner_(std::move(runner)),
      tables_(std::move(tables)), lvm_(*runner_) {}

std::vector<std::string> LvmSession::groups() const {
    std::vector<std::string> groups;
    for (const auto& member : members_) groups.push_back(member.group);
    std::sort(groups.begin(), groups.end());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    return groups;
}

Result<std::vector<LvmSession::Cut>> LvmSession::plan(const std::vector<LogicalVolume>& volumes) const {
    std::vector<Cut> cuts;
    for (std::size_t index = 0; index < members_.size(); ++index) {
        const auto& member = members_[index];
        const auto same = std::find_if(cuts.begin(), cuts.end(), [&member](const Cut& cut) {
            return cut.plan.origin.dm_uuid() == member.dm_uuid;
        });
        if (same != cuts.end()) {
            same->members.push_back(index);
            same->plan.volumes.push_back(member.volume);
            continue;
        }
        const auto origin = std::find_if(volumes.begin(), volumes.end(), [&member](const LogicalVolume& volume) {
            return volume.dm_uuid() == member.dm_uuid;
        });
        if (origin == volumes.end())
            return fail(ErrorKind::no_such_volume,
                        "the logical volume of " + member.volume + " is no longer in the volume group " + member.group);
        if (auto checked = check_origin(*origin, member.volume); !checked) return pass(checked);
        Cut cut;
        cut.plan.origin = *origin;
        cut.plan.name = lvm_snapshot_name(origin->group, origin->name, set_, index);
        cut.plan.volumes.push_back(member.volume);
        cut.members.push_back(index);
        if (find_name(volumes, origin->group, cut.plan.name) != nullptr)
            return fail(ErrorKind::busy, "there is already a logical volume " + origin->group + "/" + cut.plan.name,
                        "Remove it if it is left over from a set that is gone: lvremove " + origin->group + "/" +
                            cut.plan.name + ".");
        cuts.push_back(std::move(cut));
    }
    size_stores(cuts);
    return cuts;
}

void LvmSession::size_stores(std::vector<Cut>& cuts) const {
    std::map<std::string, double> origins; // bytes of the thick origins by group
    for (const auto& cut : cuts)
        if (cut.plan.origin.kind() == LogicalVolume::Kind::thick) origins[cut.plan.origin.group] += static_cast<double>(cut.plan.origin.size.count);
    for (auto& cut : cuts) {
        const auto& origin = cut.plan.origin;
        if (origin.kind() != LogicalVolume::Kind::thick) continue;
        StoreFacts facts;
        const auto share = static_cast<double>(origin.size.count) / std::max(origins[origin.group], 1.0);
        facts.free_share = Bytes{static_cast<std::uint64_t>(static_cast<double>(origin.group_free.count) * share)};
        for (const auto index : cut.members) {
            const auto& member = members_[index];
            // The counters are those of the LV, so that its members have the same.
            if (member.written) facts.written = *member.written;
            if (member.used) facts.used = facts.used.value_or(0) + *member.used;
        }
        cut.plan.store = store_size(origin, store_, facts);
    }
}

Result<void> LvmSession::create() {
    for (auto& cut : cuts_) {
        const auto& [origin, name, store, members] = cut.plan;
        std::vector<std::string> tags;
        for (const auto index : cut.members)
            if (auto tag = lvm_member_tag({.volume = members_[index].volume, .file_system = members_[index].file_system})) tags.push_back(std::move(*tag));
        auto made = origin.kind() == LogicalVolume::Kind::thin ? lvm_.create_thin_snapshot(origin, name, set_, tags)
                                                               : lvm_.create_thick_snapshot(origin, name, store, store_.chunk, set_, tags);
        if (!made) return made;
    }
    return {};
}

Result<void> LvmSession::build_chains() {
    const auto volumes = lvm_.list(groups());
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    std::vector<DmChain> chains;
    for (auto& cut : cuts_) {
        const auto& origin = cut.plan.origin;
        const auto* snapshot = find_name(*volumes, origin.group, cut.plan.name);
        if (snapshot == nullptr || snapshot->origin != origin.name || !snapshot->has_tag(lvm_set_tag(set_)))
            return fail(ErrorKind::lvm_failed,
                        "lvs does not report the snapshot " + origin.group + "/" + cut.plan.name +
                            " that was just made",
                        "Another LVM command may be at work on the volume group; try again.");
        cut.snapshot = *snapshot;
        auto chain = lvm_chain(*tables_, origin, *snapshot);
        if (!chain) return pass(chain);
        chains.push_back(std::move(*chain));
    }
    chains_ = std::move(chains);
    return {};
}

Result<Estimate> LvmSession::estimate() {
    const auto volumes = lvm_.list(groups());
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    const auto cuts = plan(*volumes);
    if (!cuts) return tl::unexpected<Error>(cuts.error());
    Estimate estimate;
    std::vector<PlannedSnapshot> planned;
    for (const auto& cut : *cuts) {
        planned.push_back(cut.plan);
        if (cut.plan.origin.kind() != LogicalVolume::Kind::thick) continue;
        for (const auto& volume : cut.plan.volumes) estimate.stores[volume] = cut.plan.store;
    }
    estimate.space = space_needs(planned, *volumes);
    return estimate;
}

Result<void> LvmSession::arm_all() {
    const auto volumes = lvm_.list(groups());
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    auto cuts = plan(*volumes);
    if (!cuts) return pass(cuts);
    std::vector<PlannedSnapshot> planned;
    for (const auto& cut : *cuts) planned.push_back(cut.plan);
    if (auto room = check_space(planned, *volumes); !room) return room;
    cuts_ = std::move(*cuts);
    if (auto made = create(); !made) return made;
    return build_chains();
}

Result<void> LvmSession::arm() {
    if (!cuts_.empty())
        return fail(ErrorKind::wrong_state, "the LVM snapshots of set " + set_.text() + " are armed already");
    if (members_.empty()) return {};
    auto armed = arm_all();
    if (armed) return armed;
    if (auto undone = disarm(); !undone) armed.error().undone.push_back(undone.error().message());
    return armed;
}

Result<std::vector<SnapshotRecord>> LvmSession::finish() {
    std::vector<std::string> thick;
    std::vector<std::string> thin;
    for (const auto& cut : cuts_) {
        const auto& origin = cut.plan.origin;
        if (origin.kind() == LogicalVolume::Kind::thin) {
            thin.push_back(cut.snapshot.full_name());
            continue;
        }
        thick.push_back(cut.snapshot.full_name());
        const auto status = tables_->status(cut.snapshot.dm_uuid());
        if (!status) return tl::unexpected<Error>(status.error());
        if (const auto problem = thick_snapshot_problem(*status); !problem.empty())
            return fail(problem.find("full") != std::string::npos ? ErrorKind::no_space : ErrorKind::lvm_failed,
                        "the snapshot " + cut.snapshot.full_name() + " of " + origin.full_name() +
                            " is not valid: " + problem,
                        "Give snapshots a larger store, or take the set when less is written.");
    }
    // The skip flag keeps thin snapshots inactive. This is also the proof that the pool has them.
    if (auto active = lvm_.activate(thin); !active) return pass(active);
    // Only a set whose manifest is lost is known by it.
    auto all = thick;
    all.insert(all.end(), thin.begin(), thin.end());
    if (auto tagged = lvm_.add_tag(all, kLvmCutTag); !tagged) return pass(tagged);
    // A guest may have no dmeventd; the record says so.
    const bool monitored = lvm_.monitor(thick).has_value();

    std::vector<SnapshotRecord> records(members_.size());
    for (const auto& cut : cuts_) {
        const bool is_thin = cut.plan.origin.kind() == LogicalVolume::Kind::thin;
        for (const auto index : cut.members) {
            auto& record = records[index];
            record.volume = members_[index].volume;
            record.provider = kLvmProviderName;
            record.snapshot = cut.snapshot.full_name();
            record.device = "/dev/" + cut.snapshot.full_name();
            record.reference = lvm_reference_to_json({.group = cut.snapshot.group,
                                                      .name = cut.snapshot.name,
                                                      .kind = is_thin ? "thin" : "thick",
                                                      .uuid = cut.snapshot.uuid,
                                                      .monitored = !is_thin && monitored,
                                                      .dm_uuid = cut.snapshot.dm_uuid(),
                                                      .pool = cut.snapshot.pool});
        }
    }
    return records;
}

/// Only what carries our tag under a name that we gave: an LV of the same name may be somebody else's.
Result<std::vector<LogicalVolume>> LvmSession::left_over() const {
    const auto volumes = lvm_.list(groups());
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    std::vector<LogicalVolume> left;
    for (const auto& volume : *volumes) {
        const bool ours = std::any_of(cuts_.begin(), cuts_.end(), [&volume](const Cut& cut) {
            const bool same_name = volume.group == cut.plan.origin.group && volume.name == cut.plan.name;
            return same_name || (!cut.snapshot.uuid.empty() && volume.uuid == cut.snapshot.uuid);
        });
        if (ours && volume.has_tag(lvm_set_tag(set_))) left.push_back(volume);
    }
    return left;
}

Result<void> LvmSession::disarm() {
    chains_.clear();
    if (cuts_.empty()) return {};
    const auto snapshots = left_over();
    if (!snapshots) return tl::unexpected<Error>(snapshots.error());
    if (auto removed = lvm_remove_snapshots(lvm_, *tables_, set_, *snapshots); !removed) {
        const auto still = left_over();
        if (still && still->empty()) { // somebody else was faster
            cuts_.clear();
            return {};
        }
        if (still) {
            removed.error().context += "; left: ";
            for (std::size_t i = 0; i < still->size(); ++i) removed.error().context += (i == 0 ? "" : ", ") + (*still)[i].full_name();
        }
        return removed;
    }
    cuts_.clear();
    return {};
}

} // namespace quiesced
