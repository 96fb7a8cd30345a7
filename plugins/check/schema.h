// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "plugins/sdk/plugin.h"

namespace valijson {
class Schema;
}

namespace quiesced {

/// The published schema of the protocol. One thread.
class MessageSchema {
public:
    /// Errors: io (no such file, or no schema).
    static Result<MessageSchema> read(const std::string& path);

    MessageSchema(MessageSchema&& other) noexcept;
    ~MessageSchema();

    /// What is wrong with a message; empty when it fits. `definition` is one of the file's: "request", "claim.answer".
    std::string complaint(const std::string& definition, const Json& message);

private:
    explicit MessageSchema(Json document);
    Json document_;
    std::map<std::string, std::unique_ptr<valijson::Schema>> compiled_;
};

/// What no schema of ours says: texts for people and for devices hold no control characters, at any depth but in a
/// snapshot's reference. Empty when there is none, otherwise the field's name.
std::string field_with_control_characters(const Json& value, const std::string& name = "");

} // namespace quiesced
