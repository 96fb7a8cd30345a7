// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/manifest_view.h"

#include <nlohmann/json.hpp>

namespace quiesced {
namespace {

using Json = nlohmann::json;

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<double> number_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number()) return std::nullopt;
    return found->get<double>();
}

/// The elements of a list that are objects.
template <typename Visit>
void for_each_object(const Json& object, const char* key, Visit visit) {
    const auto list = object.find(key);
    if (list == object.end() || !list->is_array()) return;
    for (const auto& element : *list)
        if (element.is_object()) visit(element);
}

} // namespace

Result<ManifestView> view_manifest(const std::string& json) {
    const auto object = Json::parse(json, nullptr, false);
    if (!object.is_object()) return fail(ErrorKind::io, "the daemon's description of the set is no JSON object");
    ManifestView view{.id = text_of(object, "id"),
                      .state = text_of(object, "state"),
                      .consistency = text_of(object, "consistency"),
                      .created = text_of(object, "created"),
                      .error = text_of(object, "error"),
                      .stuck = {},
                      .window_ms = number_of(object, "window_ms"),
                      .members = {},
                      .timeline = {}};
    if (const auto stuck = object.find("stuck"); stuck != object.end() && stuck->is_array())
        for (const auto& name : *stuck)
            if (name.is_string()) view.stuck.push_back(name.get<std::string>());
    for_each_object(object, "members", [&](const Json& member) {
        view.members.push_back({.volume = text_of(member, "volume"),
                                .placement = text_of(member, "placement"),
                                .provider = text_of(member, "provider"),
                                .snapshot = text_of(member, "snapshot"),
                                .device = text_of(member, "device"),
                                .consistency = text_of(member, "consistency"),
                                .error = text_of(member, "error"),
                                .freeze_ms = number_of(member, "freeze_ms"),
                                .hold_ms = number_of(member, "hold_ms"),
                                .thaw_ms = number_of(member, "thaw_ms"),
                                .frozen_at_ms = number_of(member, "frozen_at_ms")});
    });
    for_each_object(object, "timeline", [&](const Json& span) {
        const auto start = number_of(span, "start_ms");
        const auto length = number_of(span, "length_ms");
        if (start && length) view.timeline.push_back({text_of(span, "what"), *start, *length});
    });
    return view;
}

} // namespace quiesced
