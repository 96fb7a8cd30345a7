// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/sim_kernel.h"
#include "sequence/set_manager.h"
#include "sim/simulated_faults.h"

namespace quiesced {

/// The guest of `quiesced --sim`: volumes in memory, on the simulated kernel, with simulated providers. Whatever is frozen, armed
/// and cut is a flag in this process; no device, mount or command of the machine is touched. So the real daemon can
/// be tried and tested on a private bus by anybody.
///
/// It has two ext4 volumes ("/srv/data", "/srv/more"), an XFS and a btrfs one ("/srv/log", "/srv/pool") on virtual disks, one on a
/// LUN ("/srv/lun"), one on both ("/srv/mixed": nobody takes it), a device that is not mounted ("/dev/sim7"), and 20 small ext4 volumes ("/srv/small/00" and so on).
/// A name that is none of these is looked for on the machine, for the error to say what it is.
class SimulatedGuest {
public:
    /// Errors: kernel (no memory).
    static Result<std::unique_ptr<SimulatedGuest>> make();

    /// Puts this guest in the place of the machine's kernel, mounts and inventory. It has no system journal; the caller gives it no writers.
    /// This object must outlive the sets.
    void replace(SetManagerOptions& options);

    /// "simulated-array" for LUNs, then "simulated-lvm" for virtual disks. They keep nothing: a set of an earlier life can be
    /// deleted as well.
    [[nodiscard]] SetManager::Providers providers() const;

    [[nodiscard]] SimWorld& world() { return *world_; }
    /// Of both providers.
    [[nodiscard]] ProviderFaults& faults() { return *faults_; }
    [[nodiscard]] const Inventory& inventory() const { return inventory_; }

private:
    SimulatedGuest(std::shared_ptr<SimWorld> world, Inventory inventory, std::map<std::string, UniqueFd> mounts)
        : world_(std::move(world)), inventory_(std::move(inventory)), mounts_(std::move(mounts)) {}

    std::shared_ptr<SimWorld> world_;
    std::shared_ptr<ProviderFaults> faults_ = std::make_shared<ProviderFaults>();
    Inventory inventory_;
    std::map<std::string, UniqueFd> mounts_; ///< by mount point: memory files that stand for the file systems
};

} // namespace quiesced
