// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

/// One line of a device-mapper table or status.
struct DmTarget {
    std::uint64_t start = 0;   ///< 512-byte sectors
    std::uint64_t sectors = 0; ///< length, 512-byte sectors
    std::string type;          ///< "snapshot", "thin", ...
    std::string text;          ///< its parameters, or its status; see without_keys()
};

/// A device-mapper device with its active table.
struct DmDevice {
    DeviceNumber number;
    std::string name;
    std::string uuid;
    bool suspended = false;
    bool read_only = false;
    bool inactive_table = false; ///< a table is loaded and waits for a resume
    std::vector<DmTarget> targets;
};

/// The parameters of a "snapshot" target (dm-snap.c, snapshot_ctr()).
struct SnapshotTable {
    DeviceNumber origin;
    DeviceNumber store;
    bool persistent = false;
    Bytes chunk;
};
/// "<origin> <store> <P or N, with options> <chunk in sectors> ..."; nothing for what is none.
std::optional<SnapshotTable> parse_snapshot_table(const std::string& text);

/// The parameters of a target with "(key)" in place of what must not be seen: the key of a dm-crypt target, all of a dm-integrity
/// one. The name of a key in a keyring stays.
std::string without_keys(std::string_view type, std::string_view parameters);

/// Asks the kernel about device-mapper devices; changes nothing. Thread-safe. The twin for tests keeps tables in memory.
class DmTables {
public:
    virtual ~DmTables() = default;
    /// Errors: kernel, with ENXIO when there is no such device.
    [[nodiscard]] virtual Result<DmDevice> table(const std::string& uuid) const = 0;
    [[nodiscard]] virtual Result<DmDevice> table(DeviceNumber number) const = 0;
    /// The same with each target's status in place of its parameters. Does not flush (DM_NOFLUSH).
    [[nodiscard]] virtual Result<DmDevice> status(const std::string& uuid) const = 0;
};

/// The real one, by libdevmapper.
class KernelDmTables : public DmTables {
public:
    /// The table that is loaded and waits for a resume; without targets where there is none.
    [[nodiscard]] Result<DmDevice> inactive(DeviceNumber number) const;
    [[nodiscard]] Result<DmDevice> table(const std::string& uuid) const override;
    [[nodiscard]] Result<DmDevice> table(DeviceNumber number) const override;
    [[nodiscard]] Result<DmDevice> status(const std::string& uuid) const override;
};

} // namespace quiesced
