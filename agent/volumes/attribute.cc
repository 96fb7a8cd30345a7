// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/attribute.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace quiesced {

std::optional<std::string> find_content(int directory, const char* path) {
    constexpr std::size_t most = 65536;
    const UniqueFd file(::openat(directory, path, O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    std::string content;
    std::array<char, 4096> block; // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
    while (content.size() < most) {
        const auto got = ::read(file.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        content.append(block.data(), static_cast<std::size_t>(got));
        // Attributes of sysfs are at most a page, and one read gets all of it; so it is for other files at their end.
        if (static_cast<std::size_t>(got) < block.size()) break;
    }
    return content;
}

std::optional<std::string> find_attribute(int directory, const char* path) {
    auto content = find_content(directory, path);
    if (content) content->erase(content->find_last_not_of(" \t\r\n") + 1);
    return content;
}

std::string attribute_or_empty(int directory, const char* path) {
    return find_attribute(directory, path).value_or(std::string());
}

} // namespace quiesced
