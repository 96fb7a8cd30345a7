// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/ids.h"
#include "snapshot/manifest.h"
#include "snapshot/provider.h"
#include "volumes/inventory.h"

namespace quiesced {

/// A set of which there are snapshots and no manifest.
struct RebuiltSet {
    Manifest manifest;                   ///< complete; what cannot be known any more is left empty
    std::vector<std::string> incomplete; ///< snapshots that were not cut with the set: it is then no set
};

/// Gives a snapshot of which only the LUN is known the volume that lies on it now; else it is called by the LUN's WWID.
void name_by_lun(FoundSnapshot& snapshot, const Inventory& inventory);

/// Makes manifests of what providers have found. Consistency is "crash", the least that such a snapshot can be worth, and a note says
/// that the manifest was lost.
std::map<SetId, RebuiltSet> rebuild_sets(const std::vector<FoundSnapshot>& found);

} // namespace quiesced
