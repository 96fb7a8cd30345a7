// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "bus/dict.h"
#include "volumes/inventory.h"

namespace quiesced {

/// One element of what ListVolumes returns; dbus/org.quiesced1.Manager.xml has its keys.
Dict volume_to_dict(const Volume& volume, const Inventory& inventory);

} // namespace quiesced
