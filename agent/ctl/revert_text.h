// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "ctl/screen.h"
#include "view/manifest_view.h"

namespace quiesced {

/// What `quiescectl revert` is about to do, and what is lost by it; no volumes: all of the set.
std::string render_revert_warning(const ManifestView& set, const std::vector<std::string>& volumes, const Screen& screen = {});

/// What has become of each volume.
std::string render_reverted(const ManifestView& set);

/// "22 %: /srv/data 45 %, /srv/log"; empty while nothing is merged. `fraction` is that of the job, 0 to 1.
std::string revert_progress(const ManifestView& set, double fraction);

} // namespace quiesced
