// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/placement.h"

#include <algorithm>

#include "volumes/disk_probe.h"
#include "volumes/file_system_type.h"

namespace quiesced {
namespace {

Placement combine(Placement a, Placement b) {
    if (a == b || b == Placement::none) return a;
    if (a == Placement::none) return b;
    // A part that is on a network can never be snapshotted with the rest.
    if (a == Placement::network || b == Placement::network) return Placement::network;
    return Placement::mixed;
}

class Placer {
public:
    Placer(std::vector<Volume>& volumes, const BlockGraph& graph, std::map<DeviceNumber, Disk>& disks,
           std::vector<std::string>& problems)
        : volumes_(volumes), graph_(graph), disks_(disks), problems_(problems), states_(volumes.size()) {
        for (std::size_t i = 0; i < volumes.size(); ++i) by_superblock_.emplace(volumes[i].superblock, i);
    }

    void place(std::size_t index) {
        if (states_.at(index) != State::untouched) return;
        states_.at(index) = State::under_way;
        auto& volume = volumes_.at(index);
        volume.placement = Placement::none;
        volume.evidence.clear();
        volume.leaves.clear();
        if (classify_file_system(volume.file_system).network) {
            volume.placement = Placement::network;
            volume.evidence.push_back("file system type " + volume.file_system);
        } else if (volume.devices.empty()) {
            volume.evidence.push_back("no block device belongs to it");
        } else {
            find_leaves(volume);
            for (const auto leaf : volume.leaves) add_leaf(volume, leaf);
        }
        states_.at(index) = State::done;
    }

private:
    enum class State { untouched, under_way, done };

    void find_leaves(Volume& volume) {
        for (const auto device : volume.devices) {
            const auto leaves = graph_.leaves(device);
            if (!leaves) {
                volume.evidence.push_back(leaves.error().context);
                problems_.push_back("volume " + volume.name + ": " + leaves.error().message());
                continue;
            }
            for (const auto leaf : *leaves)
                if (std::find(volume.leaves.begin(), volume.leaves.end(), leaf) == volume.leaves.end())
                    volume.leaves.push_back(leaf);
        }
    }

    void add_leaf(Volume& volume, DeviceNumber leaf) {
        const auto disk = disks_.find(leaf);
        if (disk == disks_.end()) {
            volume.evidence.push_back("nothing is known of device " + leaf.text());
            return;
        }
        const auto* node = graph_.find(leaf);
        if (node != nullptr && node->backing) place_loop(disk->second, *node->backing);
        volume.placement = combine(volume.placement, disk->second.placement);
        std::string text = disk->second.name + ": ";
        for (const auto& fact : disk->second.evidence)
            text += (&fact == disk->second.evidence.data() ? "" : ", ") + fact;
        volume.evidence.push_back(std::move(text));
    }

    void place_loop(Disk& loop, const LoopBacking& backing) {
        loop.placement = loop.guess = Placement::none;
        loop.evidence = {"transport=loop", "file=" + backing.path};
        const auto found = by_superblock_.find(backing.file_system);
        if (found == by_superblock_.end()) {
            loop.evidence.emplace_back("on no volume that is known here");
            return;
        }
        const auto& volume = volumes_.at(found->second);
        if (states_.at(found->second) == State::under_way) {
            loop.evidence.push_back("on volume " + volume.name + ", which lies on itself");
            problems_.push_back("the file of " + loop.name + " lies on volume " + volume.name +
                                ", which lies on that loop device: a cycle");
            return;
        }
        place(found->second);
        loop.placement = volume.placement;
        loop.evidence.push_back("on volume " + volume.name + " (" + std::string(placement_name(volume.placement)) +
                                ")");
    }

    std::vector<Volume>& volumes_;
    const BlockGraph& graph_;
    std::map<DeviceNumber, Disk>& disks_;
    std::vector<std::string>& problems_;
    std::vector<State> states_;
    std::map<DeviceNumber, std::size_t> by_superblock_;
};

/// That several paths lead to a disk shows in the graph only.
void note_multipaths(const BlockGraph& graph, std::map<DeviceNumber, Disk>& disks) {
    for (const auto& [number, node] : graph.nodes()) {
        if (!node.dm_uuid.starts_with("mpath-")) continue;
        for (const auto lower : node.lower) {
            const auto path = disks.find(lower);
            if (path == disks.end()) continue;
            path->second.multipath = node.dm_name;
            judge_placement(path->second);
        }
    }
}

} // namespace

void place_volumes(std::vector<Volume>& volumes, const BlockGraph& graph, std::map<DeviceNumber, Disk>& disks,
                   std::vector<std::string>& problems) {
    note_multipaths(graph, disks);
    Placer placer(volumes, graph, disks, problems);
    for (std::size_t i = 0; i < volumes.size(); ++i) placer.place(i);
}

} // namespace quiesced
