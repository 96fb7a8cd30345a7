// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/loop_backing.h"

#include <sys/stat.h>

#include <optional>
#include <set>

#include "volumes/file_system_type.h"
#include "volumes/local_path.h"

namespace quiesced {
namespace {

/// What the kernel appends when the file has been unlinked: it lives on for the loop device.
constexpr std::string_view kDeleted = " (deleted)";

class Settler {
public:
    Settler(const std::vector<Volume>& volumes, const std::vector<MountEntry>& entries, const MountTree& tree,
            const std::map<DeviceNumber, DeviceNumber>& overlay_uppers)
        : entries_(entries), tree_(tree), overlay_uppers_(overlay_uppers) {
        for (const auto& volume : volumes) superblocks_.insert(volume.superblock);
    }

    /// The superblock of the volume that the file is on; 0:0 if none is found.
    [[nodiscard]] DeviceNumber settle(const LoopBacking& backing) const {
        auto path = backing.path;
        if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
        auto number = backing.file_system;
        if (!superblocks_.contains(number) && !overlay_uppers_.contains(number)) number = search(number, path);
        const auto upper = overlay_uppers_.find(number);
        return upper == overlay_uppers_.end() ? number : upper->second;
    }

private:
    [[nodiscard]] DeviceNumber search(DeviceNumber number, const std::string& path) const {
        const auto* entry = tree_.at(path);
        // The kernel could not be asked: the path is all there is.
        if (number == DeviceNumber{}) return entry == nullptr ? number : entry->device;
        if (const auto found = by_path(number, path); found != DeviceNumber{}) return found;
        // The file has been unlinked or covered, but its subvolume may be mounted somewhere.
        const auto& subvolumes = btrfs_subvolumes();
        const auto found = subvolumes.find(number);
        return found == subvolumes.end() ? DeviceNumber{} : found->second;
    }

    /// By the st_dev of each mounted subvolume, its superblock. Found out once, and only if somebody needs it.
    [[nodiscard]] const std::map<DeviceNumber, DeviceNumber>& btrfs_subvolumes() const {
        if (subvolumes_) return *subvolumes_;
        subvolumes_.emplace();
        for (const auto& candidate : entries_) {
            if (candidate.file_system != "btrfs" || !tree_.visible(candidate)) continue;
            const auto reached = reach(candidate.mount_point);
            if (reached) subvolumes_->emplace(DeviceNumber::from(reached->status.st_dev), candidate.device);
        }
        return *subvolumes_;
    }

    [[nodiscard]] std::optional<LocalPath> reach(const std::string& path) const {
        const auto forbidden = [this](const std::string& part) {
            const auto* entry = tree_.at(part);
            return entry != nullptr && classify_file_system(entry->file_system).remote_answer;
        };
        auto reached = walk_path(path, forbidden);
        if (!reached || reached->stopped) return std::nullopt;
        return std::move(*reached);
    }

    /// The mount of a path, if its st_dev is `number`.
    [[nodiscard]] DeviceNumber by_path(DeviceNumber number, const std::string& path) const {
        const auto reached = reach(path);
        if (!reached || DeviceNumber::from(reached->status.st_dev) != number) return {};
        const auto* entry = tree_.at(reached->path);
        return entry == nullptr ? DeviceNumber{} : entry->device;
    }

    const std::vector<MountEntry>& entries_;
    const MountTree& tree_;
    const std::map<DeviceNumber, DeviceNumber>& overlay_uppers_;
    std::set<DeviceNumber> superblocks_;
    mutable std::optional<std::map<DeviceNumber, DeviceNumber>> subvolumes_;
};

} // namespace

BlockGraph settle_loop_backings(const BlockGraph& graph, const std::vector<Volume>& volumes,
                                const std::vector<MountEntry>& entries, const MountTree& tree,
                                const std::map<DeviceNumber, DeviceNumber>& overlay_uppers,
                                std::vector<std::string>& problems) {
    const Settler settler(volumes, entries, tree, overlay_uppers);
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
