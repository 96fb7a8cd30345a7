// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "snapshot/dm_table.h"

namespace quiesced {

/// A device-mapper device as it is listed.
struct DmEntry {
    DeviceNumber number;
    std::string name;
    std::string uuid; ///< may be empty
};

/// Makes and changes device-mapper devices as well. A table may hold a key (dm-crypt): tables go from device to device in
/// here, in memory that is wiped, and no call hands a key out. Thread-safe. The twin for tests keeps tables in memory.
/// Never to be used on a device while its file system is frozen by a set of ours: that is the freezer's.
class DmDevices : public DmTables {
public:
    /// All there are.
    [[nodiscard]] virtual Result<std::vector<DmEntry>> list() const = 0;
    /// With the table that is loaded and waits for a resume; without targets where there is none.
    [[nodiscard]] virtual Result<DmDevice> inactive(DeviceNumber device) const = 0;
    /// Whether the active tables of two are the same, keys included.
    [[nodiscard]] virtual Result<bool> same_table(DeviceNumber a, DeviceNumber b) const = 0;

    /// Makes an active device of one target. udev makes its node, and nothing else looks at it: no link in /dev/disk leads to it.
    /// Returns when the node is there. Errors: busy (name or UUID is taken), kernel.
    virtual Result<DeviceNumber> create(const std::string& name, const std::string& uuid, const DmTarget& target) = 0;
    /// The same with the active table of `from`, and as read-only as that.
    virtual Result<DeviceNumber> copy(DeviceNumber from, const std::string& name, const std::string& uuid) = 0;

    /// Loads a table of one target; it becomes active with activate(), or a resume by anybody. Errors: kernel.
    virtual Result<void> load(DeviceNumber device, const DmTarget& target, bool read_only) = 0;
    /// The same with the active table of `from`, and as read-only as that.
    virtual Result<void> load_copy(DeviceNumber device, DeviceNumber from) = 0;
    /// Exchanges the active table for the loaded one; what is under way on the device ends before. One call of the kernel: a
    /// process that dies in it leaves nothing suspended. The file system above is not asked to hold still: the same data lie
    /// under both.
    virtual Result<void> activate(DeviceNumber device) = 0;
    /// Drops a table that is loaded. None is no error.
    virtual Result<void> clear(DeviceNumber device) = 0;
    /// One that is gone is no error. Errors: busy (mounted, or something lies on it), kernel.
    virtual Result<void> remove(const std::string& uuid) = 0;
};

/// The real one, by libdevmapper.
class KernelDmDevices : public DmDevices {
public:
    [[nodiscard]] Result<DmDevice> table(const std::string& uuid) const override { return tables_.table(uuid); }
    [[nodiscard]] Result<DmDevice> table(DeviceNumber number) const override { return tables_.table(number); }
    [[nodiscard]] Result<DmDevice> status(const std::string& uuid) const override { return tables_.status(uuid); }
    [[nodiscard]] Result<DmDevice> inactive(DeviceNumber device) const override { return tables_.inactive(device); }
    [[nodiscard]] Result<std::vector<DmEntry>> list() const override;
    [[nodiscard]] Result<bool> same_table(DeviceNumber a, DeviceNumber b) const override;
    Result<DeviceNumber> create(const std::string& name, const std::string& uuid, const DmTarget& target) override;
    Result<DeviceNumber> copy(DeviceNumber from, const std::string& name, const std::string& uuid) override;
    Result<void> load(DeviceNumber device, const DmTarget& target, bool read_only) override;
    Result<void> load_copy(DeviceNumber device, DeviceNumber from) override;
    Result<void> activate(DeviceNumber device) override;
    Result<void> clear(DeviceNumber device) override;
    Result<void> remove(const std::string& uuid) override;

private:
    KernelDmTables tables_;
};

} // namespace quiesced
