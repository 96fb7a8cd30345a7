// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bus/sdbus_compat.h"

namespace quiesced {

/// a{sv}
using Dict = std::map<std::string, sdbus::Variant>;

/// The same text, with U+FFFD for what is no UTF-8: a path may be any bytes, and the bus refuses them.
std::string utf8(std::string_view text);

/// An option that every call knows: polkit may ask the user for a password meanwhile.
inline constexpr const char* kInteractive = "interactive";

/// The options of one call. A key that the call does not know is an error, so that a misspelt one does not pass
/// unnoticed.
class Options {
public:
    explicit Options(const Dict& options) : options_(options) {}

    /// Errors: invalid_argument for a key that is neither among these nor kInteractive.
    [[nodiscard]] Result<void> only(std::initializer_list<std::string_view> known) const;

    /// The value of `key`, or `otherwise`. Errors: invalid_argument for a value of another type.
    template <typename T>
    [[nodiscard]] Result<T> get(const std::string& key, T otherwise) const {
        const auto found = options_.find(key);
        if (found == options_.end()) return otherwise;
        if (!found->second.containsValueOfType<T>()) return wrong_type(key, sdbus::Variant(otherwise).peekValueType());
        return found->second.get<T>();
    }

private:
    [[nodiscard]] tl::unexpected<Error> wrong_type(const std::string& key, const std::string& wanted) const;
    const Dict& options_;
};

} // namespace quiesced
