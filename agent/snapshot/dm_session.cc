// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_session.h"

#include <algorithm>
#include <utility>

#include "snapshot/dm_names.h"
#include "snapshot/dm_origin.h"
#include "snapshot/dm_reference.h"
#include "snapshot/dm_undo.h"
#include "snapshot/lvm_chain.h"
#include "snapshot/lvm_tags.h"

namespace quiesced {
namespace {

/// The end of a snapshot's table: persistent, so that its status speaks of an overflow; the chunk in sectors.
std::string store_options(Bytes chunk) { return " P " + std::to_string(chunk.count / kSectorSize); }

/// An LV as the size policy and the check of space want an origin: the store goes into another group than the origin's disk.
LogicalVolume as_logical_volume(const DmDevice& origin, const LvmGroup& group) {
    LogicalVolume volume;
    volume.group = group.name;
    volume.group_free = group.free;
    volume.extent = group.extent;
    volume.name = origin.name;
    volume.segment_type = "linear";
    volume.attributes = "-wi-ao----";
    volume.size = dm_size(origin);
    return volume;
}

DmTarget target(const DmDevice& origin, const char* type, std::string text) {
    return {.start = 0, .sectors = dm_size(origin).count / kSectorSize, .type = type, .text = std::move(text)};
}

Result<void> check_origin(const DmDevice& origin, const DmDevice& own_table, const std::string& volume) {
    if (auto refusal = table_refusal(own_table); !refusal.empty())
        return fail(ErrorKind::unsupported, "no snapshot of " + volume + " can be taken: " + refusal, "Or let the host take its snapshot.");
    if (origin.suspended)
        return fail(ErrorKind::busy, origin.name + " (" + volume + ") is suspended by somebody else",
                    "Wait for what is at work on it; `dmsetup resume " + origin.name + "` if it was left behind by something that died.");
    if (origin.inactive_table)
        return fail(ErrorKind::busy, "somebody is about to give " + origin.name + " (" + volume + ") another table",
                    "Wait for that; `dmsetup clear " + origin.name + "` if it was left behind by something that died.");
    return {};
}

DmStep step(DmStep::Op op, const DmDevice& device) {
    DmStep step;
    step.op = op;
    step.uuid = device.uuid;
    if (device.uuid.empty()) step.number = device.number;
    return step;
}

} // namespace

DmSession::DmSession(SetId set, std::vector<DmMember> members, StorePolicy policy, std::string group, DmTools tools)
    : set_(std::move(set)), members_(std::move(members)), policy_(policy), group_(std::move(group)), tools_(std::move(tools)),
      lvm_(*tools_.runner) {}

Result<std::vector<DmSession::Cut>> DmSession::plan(const LvmGroup& group) const {
    std::vector<Cut> cuts;
    double all = 0; // bytes
    for (std::size_t index = 0; index < members_.size(); ++index) {
        const auto& member = members_[index];
        const auto same = std::find_if(cuts.begin(), cuts.end(), [&](const Cut& cut) { return cut.origin.number == member.origin; });
        if (same != cuts.end()) {
            same->members.push_back(index);
            continue;
        }
        auto origin = tools_.devices->table(member.origin);
        if (!origin) return pass(origin);
        auto real = real_of(*tools_.devices, *origin);
        if (!real) return pass(real);
        if (auto good = check_origin(*origin, *real ? **real : *origin, member.volume); !good) return pass(good);
        const auto number = cuts.size();
        Cut cut{.members = {index}, .origin = std::move(*origin), .store_size = {}, .name = {}, .uuid = {}};
        cut.name = dm_snapshot_name(cut.origin.name, set_, number);
        cut.uuid = dm_uuid({.set = set_, .index = number, .part = DmPart::snapshot});
        cut.first = !*real;
        if (*real) cut.real = (*real)->number;
        all += static_cast<double>(dm_size(cut.origin).count);
        cuts.push_back(std::move(cut));
    }
    for (auto& cut : cuts) {
        const auto origin = as_logical_volume(cut.origin, group);
        StoreFacts facts;
        facts.free_share = Bytes{static_cast<std::uint64_t>(static_cast<double>(group.free.count) * static_cast<double>(origin.size.count) / std::max(all, 1.0))};
        for (const auto index : cut.members) {
            if (members_[index].written) facts.written = members_[index].written;
            if (members_[index].used) facts.used = facts.used.value_or(0) + *members_[index].used;
        }
        cut.store_size = quiesced::store_size(origin, policy_, facts);
    }
    return cuts;
}

std::vector<PlannedSnapshot> DmSession::planned(const std::vector<Cut>& cuts, const LvmGroup& group) const {
    std::vector<PlannedSnapshot> all;
    for (const auto& cut : cuts) {
        PlannedSnapshot snapshot{.origin = as_logical_volume(cut.origin, group), .name = cut.name, .store = cut.store_size};
        for (const auto index : cut.members) snapshot.volumes.push_back(members_[index].volume);
        all.push_back(std::move(snapshot));
    }
    return all;
}

Result<Estimate> DmSession::estimate() {
    const auto group = lvm_.group(group_);
    if (!group) return tl::unexpected<Error>(group.error());
    const auto cuts = plan(*group);
    if (!cuts) return tl::unexpected<Error>(cuts.error());
    Estimate estimate;
    estimate.space = space_needs(planned(*cuts, *group), {});
    for (const auto& cut : *cuts)
        for (const auto index : cut.members) estimate.stores[members_[index].volume] = cut.store_size;
    return estimate;
}

Result<void> DmSession::make_stores() {
    for (std::size_t i = 0; i < cuts_.size(); ++i) {
        std::vector<std::string> tags{kDmStoreTag};
        for (const auto index : cuts_[i].members)
            if (auto tag = lvm_member_tag({.volume = members_[index].volume, .file_system = members_[index].file_system})) tags.push_back(std::move(*tag));
        if (auto made = lvm_.create_store(group_, dm_store_name(set_, i), cuts_[i].store_size, set_, tags); !made) return made;
    }
    const auto made = lvm_.list_tagged(lvm_set_tag(set_));
    if (!made) return tl::unexpected<Error>(made.error());
    for (std::size_t i = 0; i < cuts_.size(); ++i) {
        const auto found = std::find_if(made->begin(), made->end(), [&](const LogicalVolume& volume) {
            return volume.group == group_ && volume.name == dm_store_name(set_, i) && volume.has_tag(kDmStoreTag);
        });
        if (found == made->end())
            return fail(ErrorKind::lvm_failed, "lvs does not report the store " + group_ + "/" + dm_store_name(set_, i) + " that was just made",
                        "Another LVM command may be at work on the volume group; try again.");
        cuts_[i].store = *found;
    }
    return {};
}

/// The origin's table on a second device, and snapshot-origin loaded into the origin.
Result<void> DmSession::make_real(std::size_t index) {
    auto& cut = cuts_[index];
    auto& devices = *tools_.devices;
    const auto made = devices.copy(cut.origin.number, dm_real_name(cut.name), dm_uuid({.set = set_, .index = index, .part = DmPart::real}));
    if (!made) return tl::unexpected<Error>(made.error());
    cut.real = *made;
    if (auto loaded = devices.load(cut.origin.number, target(cut.origin, "snapshot-origin", cut.real.text()), cut.origin.read_only); !loaded) return loaded;
    // From here on a change by somebody else replaces what we loaded; this is for one in the moment before.
    const auto same = devices.same_table(cut.origin.number, cut.real);
    if (!same) return tl::unexpected<Error>(same.error());
    if (!*same) return fail(ErrorKind::busy, "somebody gave " + cut.origin.name + " another table meanwhile", "Try again.");
    return {};
}

Result<void> DmSession::make_devices(std::size_t index) {
    auto& cut = cuts_[index];
    auto& devices = *tools_.devices;
    if (cut.first)
        if (auto made = make_real(index); !made) return made;
    const auto store = devices.table(cut.store.dm_uuid());
    if (!store) return tl::unexpected<Error>(store.error());
    // With a table of no use until it is fired, and known to udev from now on.
    const auto snapshot = devices.create(cut.name, cut.uuid, target(cut.origin, "error", ""));
    if (!snapshot) return tl::unexpected<Error>(snapshot.error());
    return devices.load(*snapshot, target(cut.origin, "snapshot", cut.real.text() + " " + store->number.text() + store_options(policy_.chunk)), false);
}

Result<void> DmSession::arm_all() {
    const std::lock_guard lock(*tools_.changing);
    const auto group = lvm_.group(group_);
    if (!group) return tl::unexpected<Error>(group.error());
    auto cuts = plan(*group);
    if (!cuts) return pass(cuts);
    if (auto room = check_space(planned(*cuts, *group), {}); !room) return room;
    cuts_ = std::move(*cuts);
    if (auto made = make_stores(); !made) return made;
    for (std::size_t i = 0; i < cuts_.size(); ++i)
        if (auto made = make_devices(i); !made) return made;
    return {};
}

Result<void> DmSession::arm() {
    if (!cuts_.empty()) return fail(ErrorKind::wrong_state, "the device-mapper snapshots of set " + set_.text() + " are armed already");
    if (members_.empty()) return {};
    auto armed = arm_all();
    if (armed) {
        armed_ = true;
        return armed;
    }
    if (auto undone = disarm(); !undone) armed.error().undone.push_back(undone.error().message());
    return armed;
}

std::vector<DmChain> DmSession::chains() const {
    std::vector<DmChain> chains;
    if (!armed_) return chains;
    for (const auto& cut : cuts_) {
        DmStep snapshot;
        snapshot.op = DmStep::Op::resume;
        snapshot.uuid = cut.uuid;
        DmChain chain;
        chain.name = cut.origin.name;
        // Nothing to prime: the snapshot was never active, so that it is empty.
        chain.fire = {step(DmStep::Op::suspend, cut.origin), snapshot, step(DmStep::Op::resume, cut.origin)};
        // Where the origin was resumed without its snapshot, it goes on over the real device, with the same data, until disarm().
        if (cut.first) chain.unprime = {step(DmStep::Op::clear, cut.origin)};
        chains.push_back(std::move(chain));
    }
    return chains;
}

/// The snapshot is there, and what is written goes through it.
Result<void> DmSession::check(const Cut& cut) const {
    const auto status = tools_.devices->status(cut.uuid);
    if (!status) return tl::unexpected<Error>(status.error());
    if (const auto problem = thick_snapshot_problem(*status); !problem.empty())
        return fail(problem.find("full") != std::string::npos ? ErrorKind::no_space : ErrorKind::kernel,
                    "the snapshot " + cut.name + " of " + cut.origin.name + " is not valid: " + problem,
                    "Give snapshots a larger store, or take the set when less is written.");
    const auto origin = tools_.devices->table(cut.origin.number);
    if (!origin) return tl::unexpected<Error>(origin.error());
    if (single_target(*origin, "snapshot-origin") == nullptr || data_device(*origin) != cut.real)
        return fail(ErrorKind::busy, "somebody gave " + cut.origin.name + " another table while the set was under way",
                    "Take the set when nothing else is at work on it.");
    return {};
}

Result<std::vector<SnapshotRecord>> DmSession::finish() {
    std::vector<SnapshotRecord> records(members_.size());
    std::vector<std::string> stores;
    for (const auto& cut : cuts_) {
        if (auto good = check(cut); !good) return pass(good);
        stores.push_back(cut.store.full_name());
        for (const auto index : cut.members) {
            auto& record = records[index];
            record.volume = members_[index].volume;
            record.provider = kDmProviderName;
            record.snapshot = cut.name;
            record.device = "/dev/mapper/" + cut.name;
            record.reference = dm_reference_to_json({.snapshot = cut.uuid,
                                                     .origin = cut.origin.number,
                                                     .origin_name = cut.origin.name,
                                                     .group = cut.store.group,
                                                     .store = cut.store.name,
                                                     .store_uuid = cut.store.uuid});
        }
    }
    // Only a set whose manifest is lost is known by it.
    if (auto tagged = lvm_.add_tag(stores, kLvmCutTag); !tagged) return pass(tagged);
    return records;
}

Result<void> DmSession::disarm() {
    armed_ = false;
    if (cuts_.empty()) return {};
    const std::lock_guard lock(*tools_.changing);
    if (auto undone = undo_dm_set(set_, *tools_.devices, lvm_); !undone) return undone;
    cuts_.clear();
    return {};
}

} // namespace quiesced
