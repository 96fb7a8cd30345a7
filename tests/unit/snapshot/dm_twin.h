// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "freeze/dm_chain.h"
#include "lvm_twin.h"
#include "snapshot/dm_device.h"

namespace quiesced {

/// device-mapper in memory, over the tables that a TwinLvm keeps: devices with an active and a loaded table. Like the kernel it removes
/// nothing that something lies on. Every change can be made to fail, and stops there like a process that was killed.
class TwinDmDevices : public DmDevices {
public:
    explicit TwinDmDevices(std::shared_ptr<TwinDmTables> tables) : tables_(std::move(tables)) {}

    [[nodiscard]] Result<DmDevice> table(const std::string& uuid) const override;
    [[nodiscard]] Result<DmDevice> table(DeviceNumber number) const override;
    [[nodiscard]] Result<DmDevice> status(const std::string& uuid) const override;
    [[nodiscard]] Result<std::vector<DmEntry>> list() const override;
    [[nodiscard]] Result<DmDevice> inactive(DeviceNumber device) const override;
    [[nodiscard]] Result<bool> same_table(DeviceNumber a, DeviceNumber b) const override;
    Result<DeviceNumber> create(const std::string& name, const std::string& uuid, const DmTarget& target) override;
    Result<DeviceNumber> copy(DeviceNumber from, const std::string& name, const std::string& uuid) override;
    Result<void> load(DeviceNumber device, const DmTarget& target, bool read_only) override;
    Result<void> load_copy(DeviceNumber device, DeviceNumber from) override;
    Result<void> activate(DeviceNumber device) override;
    Result<void> clear(DeviceNumber device) override;
    Result<void> remove(const std::string& uuid) override;

    /// An origin; returns its number.
    DeviceNumber add(const std::string& name, const std::string& uuid, const std::vector<DmTarget>& targets);
    /// What the freezer would do; false at a step that fails.
    bool run(const std::vector<DmStep>& steps);
    /// The active table, key and all: "0 8192 linear 8:0 2048".
    [[nodiscard]] std::string shown(DeviceNumber device) const;
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] bool any_loaded() const { return !loaded_.empty(); }
    void reboot(); ///< what is not LVM's has gone

    std::string fail_on;           ///< the change that has this in its line of `changes` fails
    std::string in_use;            ///< UUID of a device that somebody has open
    std::vector<std::string> changes;

private:
    [[nodiscard]] Result<void> change(const std::string& line);
    [[nodiscard]] DmDevice* find(DeviceNumber number);
    [[nodiscard]] DmDevice* find(const std::string& uuid);
    [[nodiscard]] bool used(DeviceNumber number) const;
    Result<DeviceNumber> make(const std::string& name, const std::string& uuid, const std::vector<DmTarget>& targets);

    std::shared_ptr<TwinDmTables> tables_;
    std::map<DeviceNumber, std::vector<DmTarget>> loaded_;
    std::uint32_t next_minor_ = 500;
};

} // namespace quiesced
