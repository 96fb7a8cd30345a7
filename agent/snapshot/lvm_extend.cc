// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_extend.h"

#include <algorithm>

#include "snapshot/lvm_reference.h"
#include "snapshot/lvm_space.h"

namespace quiesced {
namespace {

/// LVM's own limit (2.03): DEFAULT_THIN_POOL_MAX_METADATA_SIZE, and what the kernel takes.
constexpr Bytes kLargestPoolMetadata{15ULL << 30U};

tl::unexpected<Error> no_room(const Fill& fill, const LogicalVolume& volume) {
    return fail(ErrorKind::no_space, fill.name + " cannot be made larger: " + volume.group_free.text() + " are free in the volume group " + volume.group,
                "Extend the volume group with vgextend, or delete sets that are no longer needed.");
}

Result<Extension> extend_metadata(const LvmCommand& lvm, const LogicalVolume& pool, const Fill& fill, unsigned percent) {
    const auto size = lvm.pool_metadata_size(pool.full_name());
    if (!size) return tl::unexpected<Error>(size.error());
    if (*size >= kLargestPoolMetadata) return Extension{.from = *size, .to = *size};
    // LVM makes the spare metadata of the group as large: they need the room twice.
    const auto to = extended_size(*size, percent, pool.extent, Bytes{pool.group_free.count / 2}, kLargestPoolMetadata);
    if (to <= *size) return no_room(fill, pool);
    if (auto done = lvm.extend_pool_metadata(pool.full_name(), to); !done) return pass(done);
    return Extension{.from = *size, .to = to};
}

} // namespace

Result<Extension> lvm_extend_volume(const LvmCommand& lvm, const LogicalVolume& grows, Bytes most, const Fill& fill, unsigned percent) {
    if (grows.size >= most) return Extension{.from = grows.size, .to = grows.size}; // it cannot overflow
    const auto to = extended_size(grows.size, percent, grows.extent, grows.group_free, most);
    if (to <= grows.size) return no_room(fill, grows);
    if (auto done = lvm.extend(grows.full_name(), to); !done) return pass(done);
    return Extension{.from = grows.size, .to = to};
}

Result<Extension> lvm_extend(const LvmCommand& lvm, const SnapshotRecord& record, const Fill& fill, unsigned percent) {
    const auto reference = lvm_reference_from_json(record.reference);
    if (!reference) return tl::unexpected<Error>(reference.error());
    const auto volumes = lvm.list({reference->group});
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    const auto find = [&](const auto& is) -> const LogicalVolume* {
        const auto found = std::find_if(volumes->begin(), volumes->end(), is);
        return found == volumes->end() ? nullptr : &*found;
    };
    const auto* snapshot = find([&](const LogicalVolume& volume) { return volume.uuid == reference->uuid; });
    if (snapshot == nullptr) return fail(ErrorKind::no_such_volume, "the snapshot " + record.snapshot + " of " + record.volume + " is gone");
    const bool store = fill.kind == "store";
    const auto& name = store ? snapshot->origin : snapshot->pool;
    const auto* other = find([&](const LogicalVolume& volume) { return volume.group == snapshot->group && volume.name == name; });
    if (other == nullptr) return fail(ErrorKind::lvm_failed, "lvs does not report " + snapshot->group + "/" + name + ", to which " + snapshot->full_name() + " belongs");
    const auto& grows = store ? *snapshot : *other;
    if (lvm.extends_itself(grows)) return Extension{.from = grows.size, .to = grows.size};
    if (fill.kind == "pool-metadata") return extend_metadata(lvm, grows, fill, percent);
    return lvm_extend_volume(lvm, grows, store ? largest_store(*other, grows.chunk.value_or(kDefaultChunk)) : Bytes{UINT64_MAX}, fill, percent);
}

} // namespace quiesced
