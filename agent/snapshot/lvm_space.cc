// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_space.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>

namespace quiesced {
namespace {

constexpr std::uint64_t kChunk = 4096;                   // lvcreate's default
constexpr std::uint64_t kExceptionsAChunk = kChunk / 16; // struct disk_exception, drivers/md/dm-snap-persistent.c

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) { return value / by + (value % by != 0 ? 1 : 0); }

std::string percent_text(double percent) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f %%", percent);
    return text.data();
}

struct Need {
    Bytes store;
    Bytes free;
    std::string origins;
};

Result<void> check_group(const std::string& group, const Need& need) {
    if (need.store <= need.free) return {};
    return fail(ErrorKind::no_space,
                "volume group " + group + " has no room for the snapshots of " + need.origins +
                    ": their copy-on-write stores need " + need.store.text() + ", " + need.free.text() + " are free",
                "Extend the volume group with vgextend, remove old snapshots, or leave a volume out of the set.");
}

Result<void> check_pool(const LogicalVolume& pool) {
    const auto name = "thin pool " + pool.full_name();
    // lv_attr, ninth character: (F)ailed, out of (D)ata space, (M)etadata read only.
    const char health = pool.attributes.size() > 8 ? pool.attributes[8] : '-';
    if (health == 'F' || health == 'M')
        return fail(ErrorKind::lvm_failed,
                    name + (health == 'F' ? " has failed" : " has become read-only for an error in its metadata"),
                    "Repair it first: lvconvert --repair " + pool.full_name() + ".");
    const auto check = [&name](std::optional<double> fill, const char* what,
                               const std::string& advice) -> Result<void> {
        if (fill.value_or(0) < kThinPoolFullPercent) return {};
        return fail(ErrorKind::no_space,
                    name + " has no room for another snapshot: its " + what + " are " + percent_text(*fill) +
                        " full, from " + percent_text(kThinPoolFullPercent) + " on none is taken",
                    advice);
    };
    if (auto data = check(health == 'D' ? 100.0 : pool.data_percent, "data",
                          "Extend it: lvextend --size +SIZE " + pool.full_name() + ", or remove old snapshots.");
        !data)
        return data;
    return check(pool.metadata_percent, "metadata",
                 "Extend them: lvextend --poolmetadatasize +SIZE " + pool.full_name() + ", or remove old snapshots.");
}

} // namespace

Bytes store_size(const LogicalVolume& origin, const StoreSize& policy) {
    const auto chunks = divide_up(origin.size.count, kChunk);
    const Bytes most{(1 + chunks + divide_up(chunks, kExceptionsAChunk) + 1) * kChunk};
    // Divided first: a percentage of exabytes must not overflow.
    const Bytes share{origin.size.count / 100 * policy.percent_of_origin};
    const auto wanted = std::min(std::max(share, policy.least), most);
    const auto extent = std::max<std::uint64_t>(origin.extent.count, kSectorSize);
    return Bytes{divide_up(wanted.count, extent) * extent};
}

Result<void> check_space(const std::vector<PlannedSnapshot>& planned, const std::vector<LogicalVolume>& volumes) {
    std::map<std::string, Need> needs;
    std::set<std::pair<std::string, std::string>> pools;
    for (const auto& snapshot : planned) {
        const auto& origin = snapshot.origin;
        if (origin.kind() == LogicalVolume::Kind::thin) {
            pools.emplace(origin.group, origin.pool);
            continue;
        }
        auto& need = needs[origin.group];
        need.store = need.store + snapshot.store;
        need.free = origin.group_free;
        need.origins += (need.origins.empty() ? "" : ", ") + origin.name;
    }
    for (const auto& [group, need] : needs)
        if (auto checked = check_group(group, need); !checked) return checked;
    for (const auto& pool : pools) {
        const auto found = std::find_if(volumes.begin(), volumes.end(), [&pool](const LogicalVolume& volume) {
            return std::tie(volume.group, volume.name) == std::tie(pool.first, pool.second);
        });
        if (found == volumes.end())
            return fail(ErrorKind::lvm_failed, "lvs does not report the thin pool " + pool.first + "/" + pool.second);
        if (auto checked = check_pool(*found); !checked) return checked;
    }
    return {};
}

} // namespace quiesced
