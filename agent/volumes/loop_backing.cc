// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/loop_backing.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "volumes/file_system_type.h"
#include "volumes/local_path.h"

namespace quiesced {
namespace {

constexpr int kDeepestOverlay = 8; // the kernel permits two

/// What the kernel appends when the file has been unlinked: it lives on for the loop device.
constexpr std::string_view kDeleted = " (deleted)";

class Settler {
public:
    Settler(const std::vector<Volume>& volumes, const std::vector<MountEntry>& entries, const MountTree& tree)
        : entries_(entries), tree_(tree) {
        for (const auto& volume : volumes) superblocks_.insert(volume.superblock);
    }

    /// The superblock of the volume that the file is on; 0:0 if none is found.
    [[nodiscard]] DeviceNumber settle(const LoopBacking& backing) const {
        auto path = backing.path;
        if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
        auto number = backing.file_system;
        if (!superblocks_.contains(number)) number = search(number, path);
        for (int depth = 0; depth < kDeepestOverlay; ++depth) {
            const auto upper = upper_of(number);
            if (!upper) return number;
            number = *upper;
        }
        return {};
    }

private:
    [[nodiscard]] DeviceNumber search(DeviceNumber number, const std::string& path) const {
        const auto* entry = tree_.at(path);
        // The kernel could not be asked: the path is all there is.
        if (number == DeviceNumber{}) return entry == nullptr ? number : entry->device;
        if (const auto found = by_path(number, path); found != DeviceNumber{}) return found;
        // The file has been unlinked or covered, but its subvolume may be mounted somewhere.
        for (const auto& candidate : entries_)
            if (candidate.file_system == "btrfs" && tree_.visible(candidate))
                if (const auto found = by_path(number, candidate.mount_point); found != DeviceNumber{}) return found;
        return {};
    }

    /// The mount of a path, if its st_dev is `number`.
    [[nodiscard]] DeviceNumber by_path(DeviceNumber number, const std::string& path) const {
        const auto forbidden = [this](const std::string& part) {
            const auto* entry = tree_.at(part);
            return entry != nullptr && classify_file_system(entry->file_system).remote_answer;
        };
        const auto reached = walk_path(path, forbidden);
        if (!reached || reached->stopped || DeviceNumber::from(reached->status.st_dev) != number) return {};
        const auto* entry = tree_.at(reached->path);
        return entry == nullptr ? DeviceNumber{} : entry->device;
    }

    [[nodiscard]] std::optional<DeviceNumber> upper_of(DeviceNumber number) const {
        for (const auto& entry : entries_) {
            if (entry.device != number || entry.file_system != "overlay") continue;
            const auto folder = option_value(entry.super_options, "upperdir");
            const auto* upper = folder.empty() ? nullptr : tree_.at(folder);
            if (upper == nullptr || upper->device == number) return std::nullopt;
            return upper->device;
        }
        return std::nullopt;
    }

    const std::vector<MountEntry>& entries_;
    const MountTree& tree_;
    std::set<DeviceNumber> superblocks_;
};

} // namespace

BlockGraph settle_loop_backings(const BlockGraph& graph, const std::vector<Volume>& volumes,
                                const std::vector<MountEntry>& entries, const MountTree& tree,
                                std::vector<std::string>& problems) {
    const Settler settler(volumes, entries, tree);
    auto nodes = graph.nodes();
    for (auto& [number, node] : nodes) {
        if (!node.backing) continue;
        const bool asked = node.backing->file_system != DeviceNumber{};
        const auto found = settler.settle(*node.backing);
        if (!asked)
            problems.push_back("the kernel does not say where the file of " + node.path() + " lies; its path " +
                               node.backing->path + " is taken for it");
        else if (found == DeviceNumber{})
            problems.push_back("the file of " + node.path() + ", " + node.backing->path + ", lies on a file system (" +
                               node.backing->file_system.text() + ") that is not mounted here");
        node.backing->file_system = found;
    }
    return BlockGraph(std::move(nodes));
}

} // namespace quiesced
