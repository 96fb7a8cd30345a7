// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/mount_tree.h"

#include <algorithm>
#include <set>

#include "volumes/file_system_type.h"

namespace quiesced {

MountTree::MountTree(const std::vector<MountEntry>& entries) {
    std::set<std::uint64_t> ids;
    for (const auto& entry : entries) ids.insert(entry.mount_id);
    for (const auto& entry : entries) {
        // The parent of a chroot's or a namespace's topmost mount is not listed, or is the mount itself.
        const bool top = entry.parent_id == entry.mount_id || !ids.contains(entry.parent_id);
        children_[{top ? kTop : entry.parent_id, entry.mount_point}] = &entry;
    }
}

/// Tells `passed` every mount in which a further part of the path is looked up.
template <typename Passed>
const MountEntry* MountTree::walk(std::string_view path, const Passed& passed) const {
    const MountEntry* current = nullptr;
    // A damaged table could list two mounts as each other's parent: no more steps than there are mounts.
    std::size_t steps = children_.size();
    const auto descend = [&](std::string_view prefix) {
        while (steps > 0) {
            const auto child = children_.find({current == nullptr ? kTop : current->mount_id, prefix});
            if (child == children_.end()) return;
            current = child->second; // several mounts on one folder: each is the parent of the next
            --steps;
        }
    };
    descend("/");
    for (std::size_t end = 0; end < path.size() && path != "/";) {
        if (current != nullptr) passed(*current);
        end = std::min(path.find('/', end + 1), path.size());
        descend(path.substr(0, end));
    }
    return current;
}

const MountEntry* MountTree::at(std::string_view path) const {
    return walk(path, [](const MountEntry& /*passed*/) {});
}

bool MountTree::behind_remote(const MountEntry& entry) const {
    bool remote = false;
    walk(entry.mount_point, [&remote](const MountEntry& passed) {
        remote = remote || (passed.file_system != "autofs" && classify_file_system(passed.file_system).remote_answer);
    });
    return remote;
}

} // namespace quiesced
