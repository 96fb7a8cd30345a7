// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "snapshot/dm_session.h"
#include "snapshot/provider.h"

namespace quiesced {

/// Snapshots of volumes whose one device is a device-mapper device that is not LVM's: dm-crypt, a partition of a multipath device,
/// linear. Their stores are logical volumes in a volume group that the configuration names; without one it takes nothing.
/// While a snapshot of it is there, the origin's table is snapshot-origin, and its own one lies in a device beside it; with the
/// last snapshot it gets that back. Snapshots do not outlive the boot.
class DmProvider : public Provider {
public:
    explicit DmProvider(std::shared_ptr<LvmRunner> runner = std::make_shared<SystemLvmRunner>(),
                        std::shared_ptr<DmDevices> devices = std::make_shared<KernelDmDevices>())
        : tools_{.runner = std::move(runner), .devices = std::move(devices)} {}

    /// From now on; empty for none.
    void set_store_group(const std::string& group);

    [[nodiscard]] std::string name() const override;
    /// Runs no command.
    std::vector<Claim> claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) override;
    Result<std::unique_ptr<ProviderSession>> begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                   const Inventory& inventory, const SnapshotWishes& wishes = {}) override;
    Result<std::vector<SnapshotRecord>> map(const SetId& set, std::vector<SnapshotRecord> records) override;
    [[nodiscard]] std::vector<Fill> fills(const std::vector<SnapshotRecord>& records) const override;
    Result<Extension> extend(const SnapshotRecord& record, const Fill& fill, unsigned percent) override;
    /// Never: unsupported. A merge that a reboot cuts off could not go on, and what of it was done could not be told from the rest.
    Result<void> check_revert(const SetId& set, const std::vector<SnapshotRecord>& records) override;
    /// By the tags of the stores.
    Result<std::vector<FoundSnapshot>> find_all() override;
    /// All that it has made for the set.
    Result<void> remove(const SetId& set, const std::vector<SnapshotRecord>& records) override;
    Result<void> abandon(const SetId& set) override;

private:
    [[nodiscard]] Claim claim_of(const Volume& volume, const Inventory& inventory, const std::string& group) const;
    [[nodiscard]] std::string store_group() const;

    DmTools tools_;
    mutable std::mutex mutex_;
    std::string store_group_; ///< under mutex_
};

} // namespace quiesced
