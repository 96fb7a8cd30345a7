// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "volumes/disk.h"
#include "volumes/match.h"

namespace quiesced {

/// What the hypervisor said of one disk.
struct PlacementVerdict {
    Placement type = Placement::virtual_disk; ///< virtual_disk or lun
    std::string lun_wwid; ///< of the LUN behind the disk, as the kernel would write it; empty: the disk's own WWID will do
    bool weak = false;    ///< the disk was known by its size alone
    bool operator==(const PlacementVerdict&) const = default;
};

/// What a disk is known by again, for as long as this boot lasts: its WWID; without one its serial with its place; without
/// that its place and size with the kernel's number of its appearance, so that a disk that is put in another's place is
/// not taken for it.
std::string stable_key(const Disk& disk);

/// The hypervisor's words on the disks, kept for the life of the machine: they are in a file below /run, so that a
/// restart of the daemon keeps them, and a reboot does not (the file names the boot). Thread-safe.
class PlacementVerdicts {
public:
    using Verdicts = std::map<std::string, PlacementVerdict>; ///< by stable_key()
    static constexpr std::size_t kMost = 4096;

    PlacementVerdicts() = default; ///< in memory only
    explicit PlacementVerdicts(std::string directory, std::string boot_id_file = "/proc/sys/kernel/random/boot_id");

    /// Reads the file. One that is not there, or is of another boot, is none. Errors: io (damaged, unreadable): then
    /// nothing is known, and the next record() replaces the file.
    Result<void> load();

    /// Adds to what is known, or replaces it as a whole. Errors: io, kernel, limit; then nothing has changed.
    Result<void> record(const Verdicts& verdicts, bool replace);

    [[nodiscard]] Verdicts all() const;

private:
    Result<void> save(const Verdicts& verdicts) const;

    std::string directory_;
    std::string boot_id_file_;
    mutable std::mutex mutex_;
    Verdicts verdicts_;
};

/// What these matches say of the disks' types: of each that matched and whose claim has a type.
PlacementVerdicts::Verdicts verdicts_of(const std::vector<DiskClaim>& claims, const std::vector<DiskMatch>& matches,
                                        const Inventory& inventory);

} // namespace quiesced
