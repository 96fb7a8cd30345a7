// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "snapshot/provider.h"

namespace quiesced {

/// Takes virtual disks as LVM would: its cuts are device-mapper chains that the freezer fires at the simulated kernel.
std::shared_ptr<Provider> make_simulated_lvm();

/// Takes LUNs as a plugin would: its cut is a commit of the daemon's own.
std::shared_ptr<Provider> make_simulated_array();

} // namespace quiesced
