// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_origin.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "snapshot/dm_names.h"

namespace quiesced {
namespace {

/// Only what keeps no state of its own may be there twice for a moment: two instances of RAID, a cache or a pool would each write
/// their metadata.
bool keeps_no_state(const std::string& type) {
    constexpr auto types = std::to_array<std::string_view>({"linear", "striped", "crypt", "delay", "flakey"});
    return std::find(types.begin(), types.end(), type) != types.end();
}

std::string word(const std::string& text, std::size_t index) {
    std::size_t begin = 0;
    for (; index > 0 && begin != std::string::npos; --index) {
        begin = text.find(' ', begin);
        if (begin != std::string::npos) ++begin;
    }
    return begin == std::string::npos ? std::string() : text.substr(begin, text.find(' ', begin) - begin);
}

} // namespace

const DmTarget* single_target(const DmDevice& device, const char* type) {
    const bool single = device.targets.size() == 1 && device.targets.front().start == 0 && device.targets.front().type == type;
    return single ? &device.targets.front() : nullptr;
}

std::optional<DeviceNumber> data_device(const DmDevice& device) {
    const auto* target = single_target(device, "snapshot-origin");
    if (target == nullptr) target = single_target(device, "snapshot");
    if (target == nullptr) return std::nullopt;
    const auto number = DeviceNumber::parse(word(target->text, 0));
    return number ? std::optional(*number) : std::nullopt;
}

Bytes dm_size(const DmDevice& device) {
    std::uint64_t end = 0;
    for (const auto& target : device.targets) end = std::max(end, target.start + target.sectors);
    return Bytes{end * kSectorSize};
}

Result<std::optional<DmDevice>> real_of(const DmTables& tables, const DmDevice& origin) {
    if (single_target(origin, "snapshot-origin") == nullptr) return std::nullopt;
    const auto number = data_device(origin);
    if (!number) return std::nullopt;
    auto real = tables.table(*number);
    if (!real) return pass(real);
    const auto identity = dm_identity(real->uuid);
    if (!identity || identity->part != DmPart::real) return std::nullopt;
    return std::optional(std::move(*real));
}

std::string table_kind(const DmDevice& device) {
    if (device.targets.empty()) return "empty";
    const auto& type = device.targets.front().type;
    return type == "crypt" ? "dm-crypt" : type;
}

std::string table_refusal(const DmDevice& device) {
    if (device.targets.empty()) return device.name + " has no table";
    for (const auto& target : device.targets) {
        if (target.type == "multipath")
            return device.name + " is a multipath device, whose table cannot be exchanged for another kind; a plugin for its array takes its snapshot";
        if (!keeps_no_state(target.type))
            return device.name + " is of the type " + target.type + ", which cannot be there twice, as a snapshot would need";
        // cryptsetup lets go of the key in its keyring when it ends, and the kernel gives out the key's name alone.
        if (target.type == "crypt" && word(target.text, 1).starts_with(":"))
            return device.name + " is dm-crypt with a key from a keyring, of which no second device can be made; to have the key in its table, "
                                 "as LUKS1 has: cryptsetup refresh --disable-keyring " + device.name;
    }
    return {};
}

} // namespace quiesced
