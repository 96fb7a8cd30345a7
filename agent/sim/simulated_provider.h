// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "sim/simulated_faults.h"
#include "snapshot/provider.h"

namespace quiesced {

/// Takes virtual disks as LVM would: its cuts are device-mapper chains that the freezer fires at the simulated kernel.
std::shared_ptr<Provider> make_simulated_lvm(std::shared_ptr<ProviderFaults> faults = std::make_shared<ProviderFaults>());

/// Takes LUNs as a plugin would: its cut is a commit of the daemon's own.
std::shared_ptr<Provider> make_simulated_array(std::shared_ptr<ProviderFaults> faults = std::make_shared<ProviderFaults>());

} // namespace quiesced
