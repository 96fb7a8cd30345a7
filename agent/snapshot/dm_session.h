// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/dm_device.h"
#include "snapshot/lvm_command.h"
#include "snapshot/lvm_space.h"
#include "snapshot/provider.h"

namespace quiesced {

/// What the sessions and the provider itself share.
struct DmTools {
    std::shared_ptr<LvmRunner> runner;
    std::shared_ptr<DmDevices> devices;
    /// Held by whoever makes or removes devices: an origin's real device serves several sets.
    std::shared_ptr<std::mutex> changing = std::make_shared<std::mutex>();
};

/// A member of a DmSession.
struct DmMember {
    std::string volume; ///< Volume::name
    DeviceNumber origin;
    std::string file_system = {};
    std::optional<std::uint64_t> written = {}; ///< bytes on its device in the last hour
    std::optional<std::uint64_t> used = {};    ///< bytes in the file system
};

/// One set's snapshots of device-mapper devices that are not LVM's.
///
/// arm: a store for each in the volume group; a second device, the real one, with the origin's table; the snapshot over that,
/// loaded and not active; the origin's new table (snapshot-origin), loaded. From there on three calls are left, and none of them
/// takes memory: suspend the origin, activate the snapshot, which is empty, and activate the origin's new table.
/// That is loaded at arm and not later, because an admin's own change of the table then takes its place: the set fails by that
/// at finish(), instead of the change being lost.
class DmSession : public ProviderSession {
public:
    DmSession(SetId set, std::vector<DmMember> members, StorePolicy policy, std::string group, DmTools tools);

    Result<Estimate> estimate() override;
    Result<void> arm() override;
    [[nodiscard]] std::vector<DmChain> chains() const override;
    [[nodiscard]] bool makes_stores() const override { return true; }
    [[nodiscard]] bool chains_only() const override { return true; }
    Result<std::vector<SnapshotRecord>> finish() override;
    Result<void> disarm() override;

private:
    struct Cut {
        std::vector<std::size_t> members;
        DmDevice origin;
        Bytes store_size;
        std::string name;             ///< of the snapshot's device
        std::string uuid;             ///< likewise
        LogicalVolume store = {};     ///< as made
        DeviceNumber real = {};       ///< as made, or there already
        bool first = false;           ///< the origin had no snapshot of ours before
    };
    [[nodiscard]] Result<std::vector<Cut>> plan(const LvmGroup& group) const;
    [[nodiscard]] std::vector<PlannedSnapshot> planned(const std::vector<Cut>& cuts, const LvmGroup& group) const;
    [[nodiscard]] Result<void> make_stores();
    [[nodiscard]] Result<void> make_devices(std::size_t index);
    [[nodiscard]] Result<void> make_real(std::size_t index);
    [[nodiscard]] Result<void> arm_all();
    [[nodiscard]] Result<void> check(const Cut& cut) const;

    SetId set_;
    std::vector<DmMember> members_;
    StorePolicy policy_;
    std::string group_;
    DmTools tools_;
    LvmCommand lvm_;
    std::vector<Cut> cuts_;
    bool armed_ = false;
};

} // namespace quiesced
