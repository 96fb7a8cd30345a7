// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace quiesced {

// What is read of the JSON that a daemon sent. A key that is missing or of another type counts as empty: a daemon of another
// release is no reason to show nothing.

using Json = nlohmann::json;

inline std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

inline std::optional<double> number_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number()) return std::nullopt;
    return found->get<double>();
}

inline bool flag_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

/// The texts of a list.
inline std::vector<std::string> texts_of(const Json& list) {
    std::vector<std::string> texts;
    if (!list.is_array()) return texts;
    for (const auto& element : list)
        if (element.is_string()) texts.push_back(element.get<std::string>());
    return texts;
}

inline std::vector<std::string> texts_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() ? std::vector<std::string>() : texts_of(*found);
}

/// The elements of a list that are objects.
template <typename Visit>
void for_each_object(const Json& object, const char* key, Visit visit) {
    const auto list = object.find(key);
    if (list == object.end() || !list->is_array()) return;
    for (const auto& element : *list)
        if (element.is_object()) visit(element);
}

} // namespace quiesced
