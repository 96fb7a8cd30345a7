// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

namespace quiesced {

/// A small file that may be missing, without trailing white space; nothing when it is missing or cannot be read. Most
/// devices lack most attributes, so that this makes no error's text, and as few system calls as can be.
std::optional<std::string> find_attribute(int directory, const char* path);
/// The same, empty when it is missing.
std::string attribute_or_empty(int directory, const char* path);

/// The same with the white space: a name may end in it. Content beyond 64 KiB is cut off.
std::optional<std::string> find_content(int directory, const char* path);

} // namespace quiesced
