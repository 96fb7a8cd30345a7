// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_tags.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

namespace quiesced {
namespace {

constexpr std::string_view kMemberPrefix = "quiesced.member=";
constexpr std::string_view kSetPrefix = "quiesced.set=";
constexpr std::size_t kLongestTag = 1024; // lvm(8): "up to 1024 characters"

bool is_plain(char letter) {
    // lvm(8), TAGS; '&' begins our own escape.
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           std::string_view("_+.-/=!:#").find(letter) != std::string_view::npos;
}

std::optional<std::string> unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '&') {
            plain += text[at];
            continue;
        }
        unsigned value = 0;
        const auto digits = text.substr(at + 1, 2);
        const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (problem != std::errc() || digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
        plain += static_cast<char>(value);
        at += 2;
    }
    return plain;
}

} // namespace

std::optional<std::string> lvm_member_tag(const TaggedMember& member) {
    std::string tag(kMemberPrefix);
    for (const char letter : member.file_system + ":" + member.volume) {
        if (is_plain(letter)) {
            tag += letter;
            continue;
        }
        std::array<char, 4> escape{};
        std::snprintf(escape.data(), escape.size(), "&%02X", static_cast<unsigned>(static_cast<unsigned char>(letter)));
        tag += escape.data();
    }
    if (tag.size() > kLongestTag) return std::nullopt;
    return tag;
}

std::vector<TaggedMember> lvm_tagged_members(const LogicalVolume& volume) {
    std::vector<TaggedMember> members;
    for (const auto& tag : volume.tags) {
        if (!tag.starts_with(kMemberPrefix)) continue;
        const auto text = unescaped(std::string_view(tag).substr(kMemberPrefix.size()));
        const auto colon = text ? text->find(':') : std::string::npos;
        if (colon == std::string::npos || colon + 1 == text->size()) continue;
        members.push_back({.volume = text->substr(colon + 1), .file_system = text->substr(0, colon)});
    }
    return members;
}

std::optional<SetId> lvm_tagged_set(const LogicalVolume& volume) {
    for (const auto& tag : volume.tags)
        if (tag.starts_with(kSetPrefix))
            if (auto set = SetId::parse(tag.substr(kSetPrefix.size()))) return *set;
    return std::nullopt;
}

} // namespace quiesced
