// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "base/file.h"
#include "volumes/disk_probe.h"
#include "volumes/file_system_type.h"
#include "volumes/inventory.h"
#include "volumes/loop_backing.h"
#include "volumes/placement.h"
#include "volumes/volume_reader.h"

namespace quiesced {
namespace {

std::map<DeviceNumber, Disk> read_disks(const BlockGraph& graph, const std::string& sysfs,
                                        std::vector<std::string>& problems) {
    std::map<DeviceNumber, Disk> disks;
    for (const auto& [number, node] : graph.nodes()) {
        if (!node.lower.empty() || never_a_volume(node)) continue;
        if (node.kind == BlockNode::Kind::disk) {
            if (auto disk = probe_disk(node, sysfs))
                disks.emplace(number, std::move(*disk));
            else
                problems.push_back(disk.error().message());
            continue;
        }
        // A loop device gets its placement from its file's volume; a dm device without slaves (error, zero) has none.
        Disk disk;
        disk.number = number;
        disk.name = node.name;
        disk.size = node.size;
        disk.placement = disk.guess = Placement::none;
        if (node.backing) disk.transport = "loop";
        disk.evidence = {node.backing ? "file=" + node.backing->path : "no disk is below it"};
        disks.emplace(number, std::move(disk));
    }
    return disks;
}

} // namespace

Result<Inventory> Inventory::read(const SystemPaths& paths, const LoopProbe& probe) {
    const auto table = read_mountinfo(paths.mountinfo);
    if (!table) return tl::unexpected<Error>(table.error());
    const MountTree tree(table->entries);
    // LOOP_GET_STATUS64 asks the backing file's file system: a dead server's mount must not be asked, its number in
    // the mount table has to do.
    const auto ask = [&](const std::string& name, const std::string& backing_path) -> Result<LoopStatus> {
        const auto* entry = tree.at(backing_path);
        if (entry != nullptr && classify_file_system(entry->file_system).remote_answer)
            return LoopStatus{.file_system = entry->device, .device = std::nullopt};
        return probe ? probe(name, backing_path) : read_loop_status(paths.dev, name);
    };
    const auto graph = BlockGraph::read(paths.sysfs, ask);
    if (!graph) return tl::unexpected<Error>(graph.error());

    std::vector<std::string> problems;
    for (const auto& error : table->errors) problems.push_back(error.reason);
    auto swaps = parse_swaps(read_file(paths.proc + "/swaps").value_or(std::string())); // none in a kernel without swap
    const auto overlay_uppers = find_overlay_uppers(table->entries, MountLookup(tree, *graph, paths.sysfs));
    VolumeReader reader(paths, table->entries, tree, *graph);
    reader.add_mounted(overlay_uppers);
    reader.add_foreign(problems);
    reader.add_swaps(swaps);
    reader.add_unmounted(swaps);
    auto volumes = reader.take();
    auto disks = read_disks(*graph, paths.sysfs, problems);
    auto settled = settle_loop_backings(*graph, volumes, table->entries, tree, overlay_uppers, problems);
    place_volumes(volumes, settled, disks, problems);

    Inventory inventory(std::move(volumes), std::move(settled), std::move(disks));
    inventory.swaps_ = std::move(swaps);
    inventory.problems_ = std::move(problems);
    return inventory;
}

} // namespace quiesced
