// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/set_list.h"

namespace quiesced {

Answer<std::vector<ManifestView>> read_sets(Client& client, std::string& list) {
    const auto sets = client.sets();
    if (!sets) return tl::unexpected<ClientError>(sets.error());
    std::vector<ManifestView> views;
    for (const auto& set : *sets) {
        const auto manifest = client.describe(set);
        if (!manifest && manifest.error().name == "org.quiesced1.Error.NoSuchSet") continue; // deleted meanwhile
        if (!manifest) return tl::unexpected<ClientError>(manifest.error());
        const auto view = view_manifest(*manifest);
        if (!view) return tl::unexpected<ClientError>(ClientError{ExitCode::refused, "", view.error().message()});
        views.push_back(*view);
        list += (list.empty() ? "" : ",\n") + *manifest;
    }
    return views;
}

} // namespace quiesced
