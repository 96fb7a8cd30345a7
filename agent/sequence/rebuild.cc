// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/rebuild.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "sequence/state.h"

namespace quiesced {
namespace {

/// An id begins with the time at which it was made.
std::string made(const SetId& set) {
    std::uint32_t seconds = 0;
    const auto& text = set.text();
    std::from_chars(text.data(), text.data() + 8, seconds, 16);
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    std::array<char, 32> buffer{};
    std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return buffer.data();
}

Manifest empty_manifest(const SetId& set) {
    Manifest manifest;
    manifest.id = set.text();
    manifest.state = state_name(State::complete);
    manifest.consistency = "crash";
    manifest.created = made(set);
    manifest.notes = {"its manifest was lost and is rebuilt from its snapshots: members that had others, times and consistency are not known any more"};
    return manifest;
}

} // namespace

void name_by_lun(FoundSnapshot& snapshot, const Inventory& inventory) {
    snapshot.record.volume = snapshot.origin;
    for (const auto& volume : inventory.volumes()) {
        const bool there = !volume.leaves.empty() && std::all_of(volume.leaves.begin(), volume.leaves.end(), [&](const auto leaf) {
            const auto disk = inventory.disks().find(leaf);
            return disk != inventory.disks().end() && disk->second.wwid == snapshot.origin;
        });
        if (!there || volume.file_system.empty()) continue;
        snapshot.record.volume = volume.name;
        snapshot.file_system = volume.file_system;
        snapshot.origin = volume.device_path;
        return;
    }
}

std::map<SetId, RebuiltSet> rebuild_sets(const std::vector<FoundSnapshot>& found) {
    std::map<SetId, RebuiltSet> sets;
    for (const auto& snapshot : found) {
        auto& set = sets.try_emplace(snapshot.set, RebuiltSet{.manifest = empty_manifest(snapshot.set), .incomplete = {}}).first->second;
        if (!snapshot.cut) set.incomplete.push_back(snapshot.record.snapshot);
        ManifestMember member;
        member.volume = snapshot.record.volume;
        member.file_system = snapshot.file_system;
        member.origin = snapshot.origin;
        // Members are named by where they were mounted, if they were.
        if (member.volume.starts_with("/") && !member.volume.starts_with("/dev/")) {
            member.mount_points = {member.volume};
            member.mount_roots = {"/"};
        }
        member.provider = snapshot.record.provider;
        member.snapshot = snapshot.record.snapshot;
        member.device = snapshot.record.device;
        member.reference = snapshot.record.reference;
        member.consistency = "crash";
        set.manifest.members.push_back(std::move(member));
    }
    return sets;
}

} // namespace quiesced
