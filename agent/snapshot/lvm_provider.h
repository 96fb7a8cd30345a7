// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "snapshot/dm_table.h"
#include "snapshot/lvm_command.h"
#include "snapshot/lvm_space.h"
#include "snapshot/provider.h"

namespace quiesced {

/// Snapshots of volumes whose one device is a logical volume: thick (linear, striped, mirror, RAID, cached) or thin.
/// Placement does not matter to it: an LV on a LUN is claimed like one on a virtual disk.
class LvmProvider : public Provider {
public:
    explicit LvmProvider(std::shared_ptr<LvmRunner> runner = std::make_shared<SystemLvmRunner>(),
                         std::shared_ptr<const DmTables> tables = std::make_shared<KernelDmTables>())
        : runner_(std::move(runner)), tables_(std::move(tables)) {}

    [[nodiscard]] std::string name() const override;
    [[nodiscard]] bool arm_needs_thawed() const override;
    /// Runs one `lvs` when any of the volumes lies on a logical volume, no command otherwise.
    std::vector<Claim> claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) override;
    Result<std::unique_ptr<ProviderSession>> begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                   const Inventory& inventory, const SnapshotWishes& wishes = {}) override;
    /// Activates what is not active.
    Result<std::vector<SnapshotRecord>> map(const SetId& set, std::vector<SnapshotRecord> records) override;
    [[nodiscard]] std::vector<Fill> fills(const std::vector<SnapshotRecord>& records) const override;
    Result<Extension> extend(const SnapshotRecord& record, const Fill& fill, unsigned percent) override;
    Result<void> check_revert(const SetId& set, const std::vector<SnapshotRecord>& records) override;
    Result<void> revert(const SetId& set, const std::vector<SnapshotRecord>& records) override;
    Result<std::vector<Merge>> merges(const SetId& set, const std::vector<SnapshotRecord>& records) override;
    /// By their tags.
    Result<std::vector<FoundSnapshot>> find_all() override;
    /// Removes only LVs that have a record's UUID and the set's tag, under whatever name they have now.
    Result<void> remove(const SetId& set, const std::vector<SnapshotRecord>& records) override;
    /// Removes all LVs with the set's tag.
    Result<void> abandon(const SetId& set) override;

private:
    std::shared_ptr<LvmRunner> runner_;
    std::shared_ptr<const DmTables> tables_;
};

} // namespace quiesced
