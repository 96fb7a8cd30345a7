// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_space.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <utility>

namespace quiesced {
namespace {

constexpr std::uint64_t kException = 16; // struct disk_exception, drivers/md/dm-snap-persistent.c

constexpr std::uint64_t kLeastChunks = 3; // lvcreate refuses less (2.03, SNAPSHOT_MIN_CHUNKS)
constexpr std::uint64_t kLeastAutomatic = 512ULL << 20U; // as snapm has it

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) { return value / by + (value % by != 0 ? 1 : 0); }

std::uint64_t usable_store(std::uint64_t origin, Bytes chunk) {
    const auto chunks = divide_up(origin, chunk.count);
    return (1 + chunks + divide_up(chunks, chunk.count / kException) + 1) * chunk.count;
}

std::string percent_text(double percent) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f %%", percent);
    return text.data();
}

Error no_room(std::string context, std::string advice, ErrorKind kind = ErrorKind::no_space) {
    return {.kind = kind, .error_number = 0, .context = std::move(context), .advice = std::move(advice), .undone = {}};
}

void add(std::vector<std::string>& to, const std::vector<std::string>& names) {
    to.insert(to.end(), names.begin(), names.end());
}

SpaceNeed group_need(const std::string& group, const std::vector<const PlannedSnapshot*>& snapshots) {
    SpaceNeed need;
    need.kind = "volume-group";
    need.name = group;
    Bytes stores;
    std::string origins;
    for (const auto* snapshot : snapshots) {
        stores = stores + snapshot->store;
        origins += (origins.empty() ? "" : ", ") + snapshot->origin.name;
        add(need.volumes, snapshot->volumes);
    }
    const auto free = snapshots.back()->origin.group_free;
    need.needed = stores;
    need.free = free;
    need.text = "the copy-on-write stores of " + origins + " need " + stores.text() + " in the volume group " + group + ", " + free.text() + " are free";
    if (stores > free)
        need.refusal = no_room("volume group " + group + " has no room for the snapshots of " + origins +
                                   ": their copy-on-write stores need " + stores.text() + ", " + free.text() + " are free",
                               "Extend the volume group with vgextend, remove old snapshots, or leave a volume out of the set.");
    return need;
}

std::optional<Error> pool_problem(const LogicalVolume& pool) {
    const auto name = "thin pool " + pool.full_name();
    // lv_attr, ninth character: (F)ailed, out of (D)ata space, (M)etadata read only.
    const char health = pool.attributes.size() > 8 ? pool.attributes[8] : '-';
    const auto limit = metadata_limit(pool);
    const auto metadata = pool.metadata_percent.value_or(0);
    // Full metadata alone make it read-only, too; then there is nothing to repair, and a removal would not be carried out.
    if (health == 'M' && !pool.needs_check && metadata >= limit)
        return no_room(name + " is read-only: its metadata are " + percent_text(metadata) + " full", "Extend them: lvextend --poolmetadatasize +SIZE " + pool.full_name() + ".");
    if (health == 'F' || health == 'M' || pool.needs_check)
        return no_room(name + (health == 'F' ? " has failed" : " has become read-only for an error in its metadata"),
                       "Repair it first: lvconvert --repair " + pool.full_name() + ".", ErrorKind::lvm_failed);
    const auto check = [&name](double fill, double most, const char* what, const std::string& advice) -> std::optional<Error> {
        if (fill < most) return std::nullopt;
        return no_room(name + " has no room for another snapshot: its " + what + " are " + percent_text(fill) + " full, from " + percent_text(most) + " on none is taken",
                       advice);
    };
    if (auto data = check(health == 'D' ? 100.0 : pool.data_percent.value_or(0), kThinPoolFullPercent, "data",
                          "Extend it: lvextend --size +SIZE " + pool.full_name() + ", or remove old snapshots."))
        return data;
    return check(metadata, limit, "metadata", "Extend them: lvextend --poolmetadatasize +SIZE " + pool.full_name() + ", or remove old snapshots.");
}

SpaceNeed pool_need(const std::string& group, const std::string& name, const std::vector<const PlannedSnapshot*>& snapshots,
                    const std::vector<LogicalVolume>& volumes) {
    SpaceNeed need;
    need.kind = "thin-pool";
    need.name = group + "/" + name;
    for (const auto* snapshot : snapshots) add(need.volumes, snapshot->volumes);
    const auto found = std::find_if(volumes.begin(), volumes.end(), [&](const LogicalVolume& volume) {
        return volume.group == group && volume.name == name;
    });
    if (found == volumes.end()) {
        need.refusal = no_room("lvs does not report the thin pool " + need.name, {}, ErrorKind::lvm_failed);
        need.text = need.refusal->context;
        return need;
    }
    need.size = found->size;
    need.data_percent = found->data_percent;
    need.metadata_percent = found->metadata_percent;
    need.metadata_limit = metadata_limit(*found);
    need.text = "thin snapshots share the room of the pool " + need.name + " (" + found->size.text() + ")";
    if (found->data_percent) need.text += ", whose data are " + percent_text(*found->data_percent) + " full";
    if (found->metadata_percent) need.text += ", its metadata " + percent_text(*found->metadata_percent);
    need.refusal = pool_problem(*found);
    return need;
}

} // namespace

double metadata_limit(const LogicalVolume& pool) {
    constexpr double kLeastFree = 4U << 20U;
    constexpr double kLeastFreePercent = 25;
    const auto size = static_cast<double>(pool.metadata_size.value_or(Bytes{}).count);
    const double free = size > 0 ? std::min(kLeastFreePercent, 100 * kLeastFree / size) : 0;
    return std::min(kThinPoolFullPercent, 100 - free);
}

Bytes largest_store(const LogicalVolume& origin, Bytes chunk) {
    const auto extent = std::max<std::uint64_t>(origin.extent.count, kSectorSize);
    return {divide_up(usable_store(origin.size.count, chunk), extent) * extent};
}

Bytes extended_size(Bytes size, unsigned percent, Bytes extent, Bytes free, Bytes most) {
    const auto unit = std::max<std::uint64_t>(extent.count, kSectorSize);
    if (most <= size) return size;
    const auto wanted = divide_up(std::max<std::uint64_t>(size.count / 100 * percent, 1), unit);
    return {size.count + std::min({wanted, free.count / unit, (most.count - size.count) / unit}) * unit};
}

Bytes store_size(const LogicalVolume& origin, const StorePolicy& policy, const StoreFacts& facts) {
    const auto size = origin.size.count;
    const auto most = usable_store(size, policy.chunk);
    // Divided first: a percentage of exabytes must not overflow.
    const auto share = [&policy](std::uint64_t of) { return of / 100 > UINT64_MAX / policy.value ? UINT64_MAX : of / 100 * policy.value; };
    std::uint64_t wanted = policy.value;
    switch (policy.base) {
    case StorePolicy::Base::writes: wanted = std::max({share(facts.written.value_or(0)), kLeastAutomatic, size / 10}); break;
    case StorePolicy::Base::bytes: break;
    case StorePolicy::Base::size: wanted = share(size); break;
    case StorePolicy::Base::used: wanted = share(facts.used.value_or(size)); break;
    case StorePolicy::Base::free: wanted = share(facts.free_share.count); break;
    }
    const auto extent = std::max<std::uint64_t>(origin.extent.count, kSectorSize);
    // Of what is free there is no more.
    const auto extents = policy.base == StorePolicy::Base::free && wanted < most ? wanted / extent : divide_up(std::min(wanted, most), extent);
    return Bytes{std::max(extents, divide_up(kLeastChunks * policy.chunk.count, extent)) * extent};
}

std::vector<SpaceNeed> space_needs(const std::vector<PlannedSnapshot>& planned, const std::vector<LogicalVolume>& volumes) {
    std::map<std::string, std::vector<const PlannedSnapshot*>> groups;
    std::map<std::pair<std::string, std::string>, std::vector<const PlannedSnapshot*>> pools;
    for (const auto& snapshot : planned) {
        const auto& origin = snapshot.origin;
        if (origin.kind() == LogicalVolume::Kind::thin)
            pools[{origin.group, origin.pool}].push_back(&snapshot);
        else
            groups[origin.group].push_back(&snapshot);
    }
    std::vector<SpaceNeed> needs;
    for (const auto& [group, snapshots] : groups) needs.push_back(group_need(group, snapshots));
    for (const auto& [pool, snapshots] : pools) needs.push_back(pool_need(pool.first, pool.second, snapshots, volumes));
    return needs;
}

Result<void> check_space(const std::vector<PlannedSnapshot>& planned, const std::vector<LogicalVolume>& volumes) {
    for (const auto& need : space_needs(planned, volumes))
        if (need.refusal) return tl::unexpected<Error>(*need.refusal);
    return {};
}

} // namespace quiesced
