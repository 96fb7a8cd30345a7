// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/vpd.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace quiesced {
namespace {

constexpr std::size_t kHead = 4;

/// What the page holds behind its head, no more than there is; empty if it is another page.
std::span<const std::uint8_t> body_of(std::span<const std::uint8_t> page, std::uint8_t code) {
    if (page.size() < kHead || page[1] != code) return {};
    const auto length = static_cast<std::size_t>(page[2]) * 256 + page[3];
    return page.subspan(kHead, std::min(length, page.size() - kHead));
}

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

/// ASCII without its padding; what is none becomes '?'.
std::string printable(std::span<const std::uint8_t> bytes) {
    const auto padding = [](std::uint8_t byte) { return byte == 0 || byte == ' '; };
    while (!bytes.empty() && padding(bytes.back())) bytes = bytes.first(bytes.size() - 1);
    while (!bytes.empty() && padding(bytes.front())) bytes = bytes.subspan(1);
    std::string text;
    for (const auto byte : bytes) text += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '?';
    return text;
}

std::string uuid_text(std::span<const std::uint8_t> bytes) {
    auto text = hexadecimal(bytes);
    for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, "-");
    return text;
}

bool all_zero(std::span<const std::uint8_t> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

/// Lower is better; what has no text has no rank.
std::size_t rank_of(const Designator& designator) {
    constexpr auto order = std::to_array<std::pair<std::uint8_t, std::size_t>>(
        {{Designator::kNaa, 16}, {Designator::kEui64, 16}, {Designator::kEui64, 12}, {Designator::kNaa, 8}, {Designator::kEui64, 8}});
    for (std::size_t i = 0; i < order.size(); ++i)
        if (order.at(i).first == designator.type && order.at(i).second == designator.bytes.size()) return i;
    constexpr std::array<std::uint8_t, 3> rest{Designator::kUuid, Designator::kScsiName, Designator::kT10};
    return order.size() + static_cast<std::size_t>(std::find(rest.begin(), rest.end(), designator.type) - rest.begin());
}

} // namespace

std::string Designator::text() const {
    const std::span<const std::uint8_t> all(bytes);
    switch (type) {
    case kT10:
        // Eight bytes of vendor, and what that vendor likes.
        return all.size() <= 8 ? std::string() : "t10." + printable(all);
    case kEui64:
        return (all.size() != 8 && all.size() != 12 && all.size() != 16) || all_zero(all) ? std::string() : "eui." + hexadecimal(all);
    case kNaa:
        return (all.size() != 8 && all.size() != 16) || all_zero(all) ? std::string() : "naa." + hexadecimal(all);
    case kScsiName:
        return printable(all);
    case kUuid:
        // The designator type once more in its first byte, then a reserved one.
        return all.size() != 18 || all[0] >> 4U != 1 ? std::string() : "uuid." + uuid_text(all.subspan(2));
    default:
        return {};
    }
}

std::vector<Designator> parse_device_identification(std::span<const std::uint8_t> page) {
    std::vector<Designator> designators;
    auto rest = body_of(page, 0x83);
    while (rest.size() >= kHead) {
        const std::size_t length = rest[3];
        if (rest.size() < kHead + length) break;
        const auto bytes = rest.subspan(kHead, length);
        designators.push_back({.association = static_cast<std::uint8_t>((rest[1] >> 4U) & 3U),
                               .type = static_cast<std::uint8_t>(rest[1] & 15U),
                               .code_set = static_cast<std::uint8_t>(rest[0] & 15U),
                               .bytes = {bytes.begin(), bytes.end()}});
        rest = rest.subspan(kHead + length);
    }
    return designators;
}

std::vector<std::string> unit_names(const std::vector<Designator>& designators) {
    std::vector<const Designator*> units;
    for (const auto& designator : designators)
        if (designator.association == Designator::kLogicalUnit) units.push_back(&designator);
    std::stable_sort(units.begin(), units.end(), [](const auto* a, const auto* b) { return rank_of(*a) < rank_of(*b); });
    std::vector<std::string> names;
    for (const auto* unit : units)
        if (auto text = unit->text(); !text.empty() && std::find(names.begin(), names.end(), text) == names.end())
            names.push_back(std::move(text));
    return names;
}

std::string parse_unit_serial(std::span<const std::uint8_t> page) { return printable(body_of(page, 0x80)); }

} // namespace quiesced
