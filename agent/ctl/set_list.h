// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "ctl/client.h"
#include "view/manifest_view.h"

namespace quiesced {

/// All sets, in the daemon's order, but for those that are deleted meanwhile; `list` gets their manifests as they came, for a JSON list.
/// Errors: those of Client::sets() and describe(), and a manifest that is none.
Answer<std::vector<ManifestView>> read_sets(Client& client, std::string& list);

} // namespace quiesced
