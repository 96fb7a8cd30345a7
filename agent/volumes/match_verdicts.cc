// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/match_verdicts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "volumes/disk_probe.h"
#include "volumes/match_facts.h"
#include "volumes/placement.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;

constexpr const char* kFile = "verdicts.json";
constexpr int kVersion = 1;

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A serial may be any bytes; JSON takes UTF-8 only. The same key is made at each start, so that this one fits it.
std::string ascii(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string made;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '%') {
            made += c;
        } else {
            made += '%';
            made += digits[byte >> 4U];
            made += digits[byte & 15U];
        }
    }
    return made;
}

std::optional<Placement> placement_of(std::string_view name) {
    for (const auto placement : {Placement::virtual_disk, Placement::lun})
        if (name == placement_name(placement)) return placement;
    return std::nullopt;
}

tl::unexpected<Error> damaged(const std::string& directory, const std::string& what) {
    return fail(ErrorKind::io, directory + "/" + kFile + " is damaged: " + what,
                "What the hypervisor said of the disks is forgotten until it says it again (MatchDisks).");
}

} // namespace

std::string stable_key(const Disk& disk) {
    if (!disk.wwids.empty()) return "wwid=" + ascii(normal_wwid(disk.wwids.front()).text);
    // The host's number changes when its driver is loaded again.
    const auto ctl = disk.hctl.substr(std::min(disk.hctl.find(':'), disk.hctl.size()));
    const auto place = "pci=" + disk.pci + ",ctl=" + ctl;
    if (!disk.serial.empty()) return "serial=" + ascii(disk.serial) + "," + place;
    return place + ",size=" + std::to_string(disk.size.count) + ",seq=" + std::to_string(disk.sequence) + ",name=" + ascii(disk.name);
}

PlacementVerdicts::PlacementVerdicts(std::string directory, std::string boot_id_file)
    : directory_(std::move(directory)), boot_id_file_(std::move(boot_id_file)) {}

Result<void> PlacementVerdicts::load() {
    const std::lock_guard lock(mutex_);
    verdicts_.clear();
    const auto path = directory_ + "/" + kFile;
    if (directory_.empty() || ::access(path.c_str(), F_OK) != 0) return {};
    const auto content = read_file(path);
    if (!content) return tl::unexpected<Error>(content.error());
    const auto boot = read_attribute_at(AT_FDCWD, boot_id_file_);
    if (!boot) return tl::unexpected<Error>(boot.error());
    const auto json = Json::parse(*content, nullptr, false);
    if (!json.is_object() || json.value("version", Json()) != kVersion) return damaged(directory_, "it is no list of verdicts");
    if (text_of(json, "boot") != *boot) return {};
    const auto list = json.find("verdicts");
    if (list == json.end() || !list->is_object() || list->size() > kMost) return damaged(directory_, "it has no verdicts");
    Verdicts read;
    for (const auto& [key, value] : list->items()) {
        if (!value.is_object()) return damaged(directory_, "a verdict is no object");
        const auto type = placement_of(text_of(value, "type"));
        if (!type) return damaged(directory_, "a verdict has no type");
        const auto weak = value.find("weak");
        read[key] = {.type = *type, .lun_wwid = text_of(value, "lun_wwid"), .weak = weak != value.end() && *weak == true};
    }
    verdicts_ = std::move(read);
    return {};
}

Result<void> PlacementVerdicts::record(const Verdicts& verdicts, bool replace) {
    const std::lock_guard lock(mutex_);
    auto next = replace ? Verdicts() : verdicts_;
    for (const auto& [key, verdict] : verdicts) next[key] = verdict;
    if (next == verdicts_) return {};
    if (next.size() > kMost)
        return fail(ErrorKind::limit, "the hypervisor has said something of more than " + std::to_string(kMost) + " disks",
                    "Have it say all of it again, and forget what was said before (option 'forget').");
    if (auto saved = save(next); !saved) return saved;
    verdicts_ = std::move(next);
    return {};
}

Result<void> PlacementVerdicts::save(const Verdicts& verdicts) const {
    if (directory_.empty()) return {};
    const auto boot = read_attribute_at(AT_FDCWD, boot_id_file_);
    if (!boot) return tl::unexpected<Error>(boot.error());
    Json list = Json::object();
    for (const auto& [key, verdict] : verdicts) {
        Json entry = {{"type", placement_name(verdict.type)}};
        if (!verdict.lun_wwid.empty()) entry["lun_wwid"] = verdict.lun_wwid;
        if (verdict.weak) entry["weak"] = true;
        list[key] = std::move(entry);
    }
    const Json json = {{"version", kVersion}, {"boot", *boot}, {"verdicts", std::move(list)}};
    if (auto made = make_directories(directory_); !made) return made;
    const auto directory = open_at(AT_FDCWD, directory_, O_RDONLY | O_DIRECTORY);
    if (!directory) return tl::unexpected<Error>(directory.error());
    return replace_file_at(directory->get(), kFile, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

PlacementVerdicts::Verdicts PlacementVerdicts::all() const {
    const std::lock_guard lock(mutex_);
    return verdicts_;
}

PlacementVerdicts::Verdicts verdicts_of(const std::vector<DiskClaim>& claims, const std::vector<DiskMatch>& matches,
                                        const Inventory& inventory) {
    PlacementVerdicts::Verdicts verdicts;
    for (std::size_t i = 0; i < claims.size() && i < matches.size(); ++i) {
        const auto& claim = claims[i];
        const auto& match = matches[i];
        if (match.outcome != DiskMatch::Outcome::matched || !claim.type) continue;
        PlacementVerdict verdict{.type = *claim.type, .lun_wwid = {}, .weak = match.weak};
        // The LUN behind the disk has a name that the disk does not show.
        const bool hidden = std::find(match.unknown.begin(), match.unknown.end(), "wwid") != match.unknown.end();
        if (*claim.type == Placement::lun && (hidden || !claim.lun_wwid.empty()))
            verdict.lun_wwid = kernel_wwid(claim.lun_wwid.empty() ? claim.wwid : claim.lun_wwid);
        for (const auto path : match.paths)
            if (const auto disk = inventory.disks().find(path); disk != inventory.disks().end())
                verdicts[stable_key(disk->second)] = verdict;
    }
    return verdicts;
}

void Inventory::overrule(const std::map<std::string, PlacementVerdict>& verdicts) {
    bool changed = false;
    for (auto& [number, disk] : disks_) {
        const auto* node = graph_.find(number);
        if (node == nullptr || node->kind != BlockNode::Kind::disk) continue;
        const auto verdict = verdicts.find(stable_key(disk));
        if (verdict == verdicts.end() && !disk.said) continue;
        disk.wwid = disk.wwids.empty() ? std::string() : disk.wwids.front();
        disk.said.reset();
        disk.said_by_size = false;
        if (verdict != verdicts.end()) {
            disk.said = verdict->second.type;
            disk.said_by_size = verdict->second.weak;
            if (!verdict->second.lun_wwid.empty()) disk.wwid = verdict->second.lun_wwid;
        }
        judge_placement(disk);
        changed = true;
    }
    // What place_volumes() finds wrong it has found already.
    std::vector<std::string> known;
    if (changed) place_volumes(volumes_, graph_, disks_, known);
}

} // namespace quiesced
