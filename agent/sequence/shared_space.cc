// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/shared_space.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/join.h"

namespace quiesced {

std::optional<SharedShortage> shared_shortage(const std::vector<SpaceNeed>& needs) {
    struct Place {
        Bytes needed;
        Bytes free;
        std::vector<std::string> volumes;
        bool refused = false; ///< for one of them alone, which says so itself
    };
    std::map<std::pair<std::string, std::string>, Place> places;
    for (const auto& need : needs) {
        if (!need.needed || !need.free) continue;
        auto& place = places.try_emplace({need.kind, need.name}, Place{.needed = {}, .free = *need.free, .volumes = {}}).first->second;
        place.needed = place.needed + *need.needed;
        // They have looked at different moments.
        place.free = std::min(place.free, *need.free);
        place.volumes.insert(place.volumes.end(), need.volumes.begin(), need.volumes.end());
        place.refused = place.refused || need.refusal;
    }
    for (const auto& [key, place] : places) {
        if (place.refused || place.needed <= place.free) continue;
        const auto where = (key.first == "volume-group" ? "volume group " : "") + key.second;
        return SharedShortage{.kind = key.first, .name = key.second,
                              .error = {.kind = ErrorKind::no_space, .error_number = 0,
                                        .context = where + " has no room for the snapshots of " + joined(place.volumes) + " at once: their copy-on-write stores need " +
                                                   place.needed.text() + ", " + place.free.text() + " are free",
                                        .advice = "Extend the volume group with vgextend, remove old snapshots, or leave a volume out of the set.", .undone = {}}};
    }
    return std::nullopt;
}

} // namespace quiesced
