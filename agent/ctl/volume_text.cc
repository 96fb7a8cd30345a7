// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/volume_text.h"

#include <nlohmann/json.hpp>

#include "base/ids.h"
#include "ctl/table.h"

namespace quiesced {
namespace {

std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : ",") + item;
    return text.empty() ? "-" : text;
}

} // namespace

bool is_of_interest(const VolumeView& volume) {
    return volume.placement == "network" || !volume.disks.empty() || volume.size > 0;
}

std::string render_volumes(const std::vector<VolumeView>& volumes) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& volume : volumes)
        rows.push_back({volume.name, volume.placement, volume.file_system.empty() ? "-" : volume.file_system,
                        volume.size == 0 ? "-" : Bytes{volume.size}.text(), joined(volume.disks), joined(volume.mount_points)});
    return render_table({{"NAME", false, 10},
                         {"PLACEMENT"},
                         {"FSTYPE", false, 6},
                         {"SIZE", true},
                         {"DISKS", false, 6},
                         {"MOUNTPOINTS", false, 11}},
                        rows);
}

std::string volumes_to_json(const std::vector<VolumeView>& volumes) {
    using Json = nlohmann::ordered_json;
    Json list = Json::array();
    for (const auto& volume : volumes)
        list.push_back({{"name", volume.name},
                        {"device", volume.device},
                        {"file_system", volume.file_system},
                        {"uuid", volume.uuid},
                        {"label", volume.label},
                        {"mount_points", volume.mount_points},
                        {"size", volume.size},
                        {"placement", volume.placement},
                        {"evidence", volume.evidence},
                        {"disks", volume.disks}});
    return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace quiesced
