// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/check/schema.h"

#include <algorithm>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/file.h"

namespace quiesced {

MessageSchema::MessageSchema(Json document) : document_(std::move(document)) {}
MessageSchema::MessageSchema(MessageSchema&& other) noexcept = default;
MessageSchema::~MessageSchema() = default;

Result<MessageSchema> MessageSchema::read(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return tl::unexpected<Error>(text.error());
    auto document = Json::parse(*text, nullptr, false);
    if (!document.is_object() || !document.contains("definitions")) return fail(ErrorKind::io, path + " is no schema of the protocol");
    return MessageSchema(std::move(document));
}

std::string MessageSchema::complaint(const std::string& definition, const Json& message) {
    auto& schema = compiled_[definition];
    if (!schema) {
        if (!document_["definitions"].contains(definition)) return "the schema has no " + definition;
        Json root = document_;
        root.erase("anyOf");
        root["allOf"] = Json::array({Json{{"$ref", "#/definitions/" + definition}}});
        schema = std::make_unique<valijson::Schema>();
        const valijson::adapters::NlohmannJsonAdapter adapter(root);
        valijson::SchemaParser().populateSchema(adapter, *schema);
    }
    valijson::ValidationResults results;
    const valijson::adapters::NlohmannJsonAdapter target(message);
    if (valijson::Validator().validate(*schema, target, &results)) return {};
    // The last is the outermost and says least; the first is where it began.
    valijson::ValidationResults::Error error;
    if (!results.popError(error)) return "it does not fit the schema";
    std::string place;
    for (const auto& part : error.context) place += part;
    return place + ": " + error.description;
}

std::string field_with_control_characters(const Json& value, const std::string& name) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
        return std::any_of(text.begin(), text.end(), is_control) ? (name.empty() ? "a text" : name) : "";
    }
    if (value.is_object()) {
        for (const auto& [key, inner] : value.items())
            if (key != "reference")
                if (auto found = field_with_control_characters(inner, key); !found.empty()) return found;
    } else if (value.is_array()) {
        for (const auto& inner : value)
            if (auto found = field_with_control_characters(inner, name); !found.empty()) return found;
    }
    return {};
}

} // namespace quiesced
