// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_fill.h"

#include <cerrno>

#include "snapshot/dm_origin.h"
#include "snapshot/lvm_chain.h"
#include "snapshot/lvm_fill.h"

namespace quiesced {

std::string dm_snapshot_loss(const DmTables& tables, const DmReference& reference) {
    const auto status = tables.status(reference.snapshot);
    if (!status)
        return status.error().error_number == ENXIO
                   ? "its device is gone: a snapshot of a device that is not LVM's does not outlive a reboot"
                   : std::string();
    if (auto problem = thick_snapshot_problem(*status); !problem.empty()) return problem;
    const auto snapshot = tables.table(reference.snapshot);
    const auto origin = tables.table(reference.origin);
    // An origin that is not there (closed, unmapped) is not written to; its number may be another's by now.
    if (!snapshot || !origin || origin->name != reference.origin_name || data_device(*origin) == data_device(*snapshot)) return {};
    return "somebody gave its origin " + origin->name + " another table, and what was written since then went past the snapshot";
}

std::vector<Fill> dm_fills(const DmTables& tables, const std::string& volume, const DmReference& reference) {
    const auto name = reference.group + "/" + reference.store;
    if (auto lost = dm_snapshot_loss(tables, reference); !lost.empty())
        return {Fill{.volume = volume, .kind = "store", .name = name, .percent = 100, .lost = std::move(lost)}};
    LvmReference store;
    store.group = reference.group;
    store.name = reference.store;
    store.kind = "thick";
    store.dm_uuid = reference.snapshot; // the status is that of the snapshot, whoever made it
    return lvm_fills(tables, volume, store);
}

} // namespace quiesced
