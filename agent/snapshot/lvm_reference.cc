// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_reference.h"

#include <nlohmann/json.hpp>

namespace quiesced {

std::string lvm_reference_to_json(const LvmReference& reference) {
    const nlohmann::ordered_json json{{"vg", reference.group},
                                      {"lv", reference.name},
                                      {"kind", reference.kind},
                                      {"lv_uuid", reference.uuid},
                                      {"monitored", reference.monitored},
                                      {"dm_uuid", reference.dm_uuid},
                                      {"pool", reference.pool}};
    return json.dump();
}

Result<LvmReference> lvm_reference_from_json(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object())
        return fail(ErrorKind::io, "'" + text.substr(0, 64) + "' is no reference to an LVM snapshot");
    LvmReference reference;
    for (const auto& [key, value] : {std::pair<const char*, std::string*>{"vg", &reference.group},
                                     {"lv", &reference.name},
                                     {"kind", &reference.kind},
                                     {"lv_uuid", &reference.uuid}}) {
        const auto found = json.find(key);
        if (found == json.end() || !found->is_string())
            return fail(ErrorKind::io, std::string("the reference to an LVM snapshot has no text '") + key + "'");
        *value = found->get<std::string>();
    }
    const auto monitored = json.find("monitored");
    reference.monitored = monitored != json.end() && monitored->is_boolean() && monitored->get<bool>();
    for (const auto& [key, value] : {std::pair<const char*, std::string*>{"dm_uuid", &reference.dm_uuid}, {"pool", &reference.pool}})
        if (const auto found = json.find(key); found != json.end() && found->is_string()) *value = found->get<std::string>();
    return reference;
}

} // namespace quiesced
