// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_extend.h"

#include <algorithm>

#include "snapshot/dm_origin.h"
#include "snapshot/dm_reference.h"
#include "snapshot/lvm_extend.h"
#include "snapshot/lvm_space.h"

namespace quiesced {
Result<Extension> dm_extend(const DmTables& tables, const LvmCommand& lvm, const SnapshotRecord& record, const Fill& fill, unsigned percent) {
    const auto reference = dm_reference_from_json(record.reference);
    if (!reference) return tl::unexpected<Error>(reference.error());
    const auto gone = fail(ErrorKind::no_such_volume, "the snapshot " + record.snapshot + " of " + record.volume + " is gone");
    const auto device = tables.table(reference->snapshot);
    if (!device) return gone;
    const auto* target = single_target(*device, "snapshot");
    const auto table = target != nullptr ? parse_snapshot_table(target->text) : std::nullopt;
    if (!table) return gone;
    const auto volumes = lvm.list({reference->group});
    if (!volumes) return tl::unexpected<Error>(volumes.error());
    const auto store = std::find_if(volumes->begin(), volumes->end(), [&](const LogicalVolume& volume) { return volume.uuid == reference->store_uuid; });
    if (store == volumes->end()) return gone;
    auto origin = *store; // as large as the snapshot shows, in the extents of the store's group
    origin.size = dm_size(*device);
    return lvm_extend_volume(lvm, *store, largest_store(origin, table->chunk), fill, percent);
}

} // namespace quiesced
