// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_names.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace quiesced {
namespace {

// Not "QUIESCED-SET-...": these are the layers that `quiescectl mount` lays over snapshots.
constexpr std::string_view kPrefix = "QUIESCED-dm-";
constexpr std::string_view kReal = "-real";
constexpr std::string_view kSnapshot = "-snap";

std::optional<std::size_t> number(std::string_view text) {
    std::size_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// What libdevmapper takes for a name as it is; else it writes "\x20" and the like.
bool is_plain(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           std::string_view("_+.-").find(letter) != std::string_view::npos;
}

} // namespace

std::string dm_uuid(const DmIdentity& identity) {
    return std::string(kPrefix) + identity.set.text() + "-" + std::to_string(identity.index) +
           std::string(identity.part == DmPart::real ? kReal : kSnapshot);
}

std::optional<DmIdentity> dm_identity(const std::string& uuid) {
    std::string_view rest = uuid;
    if (!rest.starts_with(kPrefix)) return std::nullopt;
    rest.remove_prefix(kPrefix.size());
    const bool real = rest.ends_with(kReal);
    if (!real && !rest.ends_with(kSnapshot)) return std::nullopt;
    rest.remove_suffix(kReal.size());
    static_assert(kReal.size() == kSnapshot.size());
    const auto hyphen = rest.find('-');
    if (hyphen == std::string_view::npos) return std::nullopt;
    auto set = SetId::parse(rest.substr(0, hyphen));
    const auto index = number(rest.substr(hyphen + 1));
    if (!set || !index) return std::nullopt;
    return DmIdentity{.set = std::move(*set), .index = *index, .part = real ? DmPart::real : DmPart::snapshot};
}

std::string dm_snapshot_name(const std::string& origin, const SetId& set, std::size_t index) {
    constexpr std::size_t longest = 127 - kReal.size(); // DM_NAME_LEN less the NUL
    auto name = origin + "-q" + set.text();
    if (name.size() > longest || !std::all_of(name.begin(), name.end(), is_plain)) name = "q" + set.text() + "-" + std::to_string(index);
    return name;
}

std::string dm_real_name(const std::string& snapshot_name) { return snapshot_name + std::string(kReal); }

std::string dm_store_name(const SetId& set, std::size_t index) { return "q" + set.text() + "-" + std::to_string(index); }

std::optional<std::size_t> dm_store_index(const SetId& set, const std::string& name) {
    const auto prefix = "q" + set.text() + "-";
    return name.starts_with(prefix) ? number(std::string_view(name).substr(prefix.size())) : std::nullopt;
}

} // namespace quiesced
