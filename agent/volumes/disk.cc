// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/disk.h"

namespace quiesced {

std::string_view placement_name(Placement placement) {
    switch (placement) {
    case Placement::virtual_disk:
        return "virtual";
    case Placement::lun:
        return "lun";
    case Placement::mixed:
        return "mixed";
    case Placement::network:
        return "network";
    case Placement::none:
        return "none";
    }
    return "none";
}

} // namespace quiesced
