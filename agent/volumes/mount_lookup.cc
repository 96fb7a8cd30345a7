// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/mount_lookup.h"

#include "volumes/file_system_type.h"
#include "volumes/local_path.h"
#include "volumes/signature.h"

namespace quiesced {

bool MountLookup::may_block(const std::string& path) const {
    const auto* entry = tree_.at(path);
    if (entry == nullptr) return false;
    if (classify_file_system(entry->file_system).remote_answer) return true;
    const auto* node = graph_.find(entry->device);
    return node != nullptr && reading_may_block(*node, graph_, sysfs_);
}

const MountEntry* MountLookup::find(const std::string& path) const {
    if (!path.starts_with('/')) return nullptr;
    const auto reached = walk_path(path, [this](const std::string& part) { return may_block(part); });
    if (reached && !reached->stopped) {
        const auto* entry = tree_.at(reached->path);
        // A table that is not this machine's has other numbers (and btrfs has one for each subvolume).
        if (entry != nullptr && (entry->device == DeviceNumber::from(reached->status.st_dev) || entry->file_system == "btrfs"))
            return entry;
    }
    return tree_.at(clean_path(path));
}

std::map<DeviceNumber, DeviceNumber> find_overlay_uppers(const std::vector<MountEntry>& entries,
                                                         const MountLookup& lookup) {
    std::map<DeviceNumber, DeviceNumber> uppers;
    for (const auto& entry : entries) {
        if (entry.file_system != "overlay" || uppers.contains(entry.device)) continue;
        // As the mounter gave it: it may lead through links, or be relative to where the mounter stood.
        const auto folder = option_value(entry.super_options, "upperdir");
        const auto* upper = folder.empty() ? nullptr : lookup.find(folder);
        if (upper != nullptr && upper->device != entry.device) uppers.emplace(entry.device, upper->device);
    }
    // The kernel permits overlays on overlays, though not deeply: each is to name the file system at the bottom.
    std::map<DeviceNumber, DeviceNumber> bottoms;
    for (const auto& [overlay, upper] : uppers) {
        auto bottom = upper;
        std::size_t steps = 0;
        for (auto next = uppers.find(bottom); next != uppers.end() && steps < uppers.size(); next = uppers.find(bottom), ++steps)
            bottom = next->second;
        // A damaged table can have them on each other.
        if (!uppers.contains(bottom)) bottoms.emplace(overlay, bottom);
    }
    return bottoms;
}

} // namespace quiesced
