// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/match_dict.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace quiesced {
namespace {

/// Where a text of that key belongs.
constexpr auto kTexts = std::to_array<std::pair<std::string_view, std::string DiskClaim::*>>({
    {"id", &DiskClaim::id},
    {"wwid", &DiskClaim::wwid},
    {"serial", &DiskClaim::serial},
    {"virtio_serial", &DiskClaim::virtio_serial},
    {"pci", &DiskClaim::pci},
    {"hctl", &DiskClaim::hctl},
    {"lun_wwid", &DiskClaim::lun_wwid},
});

tl::unexpected<Error> bad(std::size_t index, const std::string& what, std::string advice) {
    return fail(ErrorKind::invalid_argument, "disk " + std::to_string(index) + ": " + what, std::move(advice));
}

std::string shown(const std::string& text) {
    constexpr std::size_t most = 64;
    return "'" + utf8(text.substr(0, most)) + (text.size() > most ? "...'" : "'");
}

Result<std::string> read_text(std::size_t index, const std::string& key, const sdbus::Variant& value) {
    if (!value.containsValueOfType<std::string>())
        return bad(index, "the key " + shown(key) + " has a value of type '" + value.peekValueType() + "'", "It must be of type 's'.");
    auto text = value.get<std::string>();
    if (text.size() > kLongestMatchText)
        return bad(index, "the value of " + shown(key) + " has " + std::to_string(text.size()) + " bytes",
                   "It must have at most " + std::to_string(kLongestMatchText) + ".");
    return text;
}

Result<void> read_key(std::size_t index, const std::string& key, const sdbus::Variant& value, DiskClaim& claim) {
    if (key == "size") {
        if (!value.containsValueOfType<std::uint64_t>())
            return bad(index, "the key 'size' has a value of type '" + std::string(value.peekValueType()) + "'", "It must be of type 't', in bytes.");
        claim.size = Bytes{value.get<std::uint64_t>()};
        return {};
    }
    const auto place = std::find_if(kTexts.begin(), kTexts.end(), [&](const auto& entry) { return entry.first == key; });
    if (place == kTexts.end() && key != "type") {
        std::string known = "size, type";
        for (const auto& entry : kTexts) known += ", " + std::string(entry.first);
        return bad(index, "there is no key " + shown(key), "It knows: " + known + ".");
    }
    auto text = read_text(index, key, value);
    if (!text) return pass(text);
    if (place != kTexts.end()) {
        claim.*place->second = std::move(*text);
    } else if (*text == "virtual") {
        claim.type = Placement::virtual_disk;
    } else if (*text == "lun" || *text == "raw-device-mapping") {
        claim.type = Placement::lun;
    } else {
        return bad(index, "the type is " + shown(*text), "It must be virtual, lun or raw-device-mapping.");
    }
    return {};
}

std::vector<std::string> utf8_all(const std::vector<std::string>& texts) {
    std::vector<std::string> sound;
    for (const auto& text : texts) sound.push_back(utf8(text));
    return sound;
}

void add_disk(Dict& dict, const DiskMatch& match, const Inventory& inventory) {
    const auto* node = inventory.graph().find(match.device);
    std::vector<std::string> paths;
    for (const auto number : match.paths)
        if (const auto disk = inventory.disks().find(number); disk != inventory.disks().end()) paths.push_back(utf8(disk->second.name));
    dict["disk"] = sdbus::Variant(node == nullptr ? match.device.text() : utf8(node->name));
    dict["device"] = sdbus::Variant(node == nullptr ? std::string() : utf8(node->path()));
    dict["paths"] = sdbus::Variant(paths);
    dict["volumes"] = sdbus::Variant(utf8_all(volumes_on(match.paths, inventory)));
    const auto disk = match.paths.empty() ? inventory.disks().end() : inventory.disks().find(match.paths.front());
    if (disk == inventory.disks().end()) return;
    dict["placement"] = sdbus::Variant(std::string(placement_name(disk->second.placement)));
    dict["guess"] = sdbus::Variant(std::string(placement_name(disk->second.guess)));
    dict["evidence"] = sdbus::Variant(utf8_all(disk->second.evidence));
}

} // namespace

Result<std::vector<DiskClaim>> read_disk_claims(const std::vector<Dict>& disks) {
    if (disks.size() > kMostMatchDisks)
        return fail(ErrorKind::invalid_argument, std::to_string(disks.size()) + " disks were given",
                    "Give at most " + std::to_string(kMostMatchDisks) + " in a call.");
    std::vector<DiskClaim> claims;
    for (std::size_t i = 0; i < disks.size(); ++i) {
        if (disks[i].size() > kMostMatchKeys)
            return bad(i, "it has " + std::to_string(disks[i].size()) + " keys", "It must have at most " + std::to_string(kMostMatchKeys) + ".");
        auto& claim = claims.emplace_back();
        for (const auto& [key, value] : disks[i])
            if (auto read = read_key(i, key, value, claim); !read) return pass(read);
    }
    return claims;
}

Result<MatchOptions> read_match_options(const Dict& dict) {
    const Options options(dict);
    if (auto known = options.only({"remember", "forget"}); !known) return pass(known);
    MatchOptions read;
    const auto remember = options.get("remember", read.remember);
    if (!remember) return tl::unexpected<Error>(remember.error());
    const auto forget = options.get("forget", read.forget);
    if (!forget) return tl::unexpected<Error>(forget.error());
    if (*forget && !*remember)
        return fail(ErrorKind::invalid_argument, "'forget' was given with 'remember' false", "What is not remembered replaces nothing.");
    read.remember = *remember;
    read.forget = *forget;
    return read;
}

std::vector<Dict> matches_to_dicts(const MatchReport& report) {
    std::vector<Dict> dicts;
    for (const auto& match : report.matches) {
        auto& dict = dicts.emplace_back(Dict{
            {"id", sdbus::Variant(utf8(match.id))},
            {"result", sdbus::Variant(std::string(outcome_name(match.outcome)))},
            {"reason", sdbus::Variant(utf8(match.reason))},
            {"contradictions", sdbus::Variant(utf8_all(match.contradictions))},
        });
        if (match.outcome == DiskMatch::Outcome::ambiguous) dict["candidates"] = sdbus::Variant(utf8_all(match.candidates));
        if (match.outcome != DiskMatch::Outcome::matched) continue;
        dict["weak"] = sdbus::Variant(match.weak);
        dict["matched_on"] = sdbus::Variant(utf8_all(match.matched_on));
        dict["unknown"] = sdbus::Variant(utf8_all(match.unknown));
        add_disk(dict, match, report.inventory);
    }
    return dicts;
}

} // namespace quiesced
