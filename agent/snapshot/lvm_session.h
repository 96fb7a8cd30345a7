// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/dm_table.h"
#include "snapshot/lvm_command.h"
#include "snapshot/lvm_space.h"
#include "snapshot/provider.h"

namespace quiesced {

/// A member of an LvmSession.
struct LvmMember {
    std::string volume;  ///< Volume::name
    std::string dm_uuid; ///< of its LV's device
    std::string group;   ///< name of the volume group
    std::string file_system = {};
    std::optional<std::uint64_t> written = {}; ///< bytes on that LV in the last hour
    std::optional<std::uint64_t> used = {};    ///< bytes in the file system
};

/// One set's LVM snapshots: arm with lvcreate, chains for the freezer, verify and activate after the thaw, give up with
/// lvremove. Members on one LV share one snapshot.
class LvmSession : public ProviderSession {
public:
    LvmSession(SetId set, std::vector<LvmMember> members, StorePolicy store, std::shared_ptr<LvmRunner> runner,
               std::shared_ptr<const DmTables> tables);

    Result<Estimate> estimate() override;
    Result<void> arm() override;
    [[nodiscard]] std::vector<DmChain> chains() const override { return chains_; }
    [[nodiscard]] bool makes_stores() const override { return true; }
    [[nodiscard]] bool chains_only() const override { return true; }
    Result<std::vector<SnapshotRecord>> finish() override;
    Result<void> disarm() override;

private:
    /// One snapshot, whatever the number of members that it serves.
    struct Cut {
        PlannedSnapshot plan;
        LogicalVolume snapshot; ///< as made; empty before
        std::vector<std::size_t> members;
    };
    [[nodiscard]] std::vector<std::string> groups() const;
    void size_stores(std::vector<Cut>& cuts) const;
    [[nodiscard]] Result<std::vector<Cut>> plan(const std::vector<LogicalVolume>& volumes) const;
    [[nodiscard]] Result<void> create();
    [[nodiscard]] Result<void> build_chains();
    [[nodiscard]] Result<void> arm_all();
    [[nodiscard]] Result<std::vector<LogicalVolume>> left_over() const;

    SetId set_;
    std::vector<LvmMember> members_;
    StorePolicy store_;
    std::shared_ptr<LvmRunner> runner_;
    std::shared_ptr<const DmTables> tables_;
    LvmCommand lvm_;
    std::vector<Cut> cuts_;
    std::vector<DmChain> chains_;
};

} // namespace quiesced
