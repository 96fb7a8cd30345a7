// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_reference.h"

#include <nlohmann/json.hpp>

namespace quiesced {

std::string dm_reference_to_json(const DmReference& reference) {
    const nlohmann::ordered_json json{{"dm_uuid", reference.snapshot},
                                      {"origin", reference.origin.text()},
                                      {"origin_name", reference.origin_name},
                                      {"vg", reference.group},
                                      {"lv", reference.store},
                                      {"lv_uuid", reference.store_uuid}};
    return json.dump();
}

Result<DmReference> dm_reference_from_json(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return fail(ErrorKind::io, "'" + text.substr(0, 64) + "' is no reference to a device-mapper snapshot");
    DmReference reference;
    std::string origin;
    for (const auto& [key, value] : {std::pair<const char*, std::string*>{"dm_uuid", &reference.snapshot},
                                     {"origin", &origin},
                                     {"origin_name", &reference.origin_name},
                                     {"vg", &reference.group},
                                     {"lv", &reference.store},
                                     {"lv_uuid", &reference.store_uuid}}) {
        const auto found = json.find(key);
        if (found == json.end() || !found->is_string())
            return fail(ErrorKind::io, std::string("the reference to a device-mapper snapshot has no text '") + key + "'");
        *value = found->get<std::string>();
    }
    const auto number = DeviceNumber::parse(origin);
    if (!number) return fail(ErrorKind::io, "the reference to a device-mapper snapshot has no device number 'origin'");
    reference.origin = *number;
    return reference;
}

} // namespace quiesced
