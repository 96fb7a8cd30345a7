// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "volumes/mountinfo.h"

namespace quiesced {

/// Walks the mounts as the kernel's path lookup does, but in the text only: no path is touched.
/// Refers to the entries it was made from; they must outlive it and stay in place.
class MountTree {
public:
    explicit MountTree(const std::vector<MountEntry>& entries);

    /// The mount on which an absolute path lies, the path itself included; nullptr when none does. Symbolic links
    /// and ".." are not followed.
    [[nodiscard]] const MountEntry* at(std::string_view path) const;

    /// False when something is mounted over the entry or over a folder above it, so that its path leads elsewhere.
    [[nodiscard]] bool visible(const MountEntry& entry) const { return at(entry.mount_point) == &entry; }

    /// True when the way to the entry's mount point leads through a network or FUSE mount, whose server would be asked
    /// for the folders on it. (An autofs mount is passed without a question to its daemon, once something is mounted on it.)
    [[nodiscard]] bool behind_remote(const MountEntry& entry) const;

private:
    template <typename Passed>
    const MountEntry* walk(std::string_view path, const Passed& passed) const;

    /// Topmost mounts are children of this; the kernel's ids are 31 or 32 bits (64 for the unique ones of 6.8).
    static constexpr std::uint64_t kTop = UINT64_MAX;
    std::map<std::pair<std::uint64_t, std::string_view>, const MountEntry*> children_; ///< by parent and mount point
};

} // namespace quiesced
