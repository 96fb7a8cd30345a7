// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/plan_graph.h"

#include <set>

namespace quiesced {
namespace {

const char* kind_of(const BlockNode& node) {
    switch (node.kind) {
    case BlockNode::Kind::partition: return "partition";
    case BlockNode::Kind::md: return "md";
    case BlockNode::Kind::loop: return "loop";
    case BlockNode::Kind::disk: return "disk";
    case BlockNode::Kind::device_mapper: break;
    }
    if (node.dm_uuid.starts_with("LVM-")) return "lvm";
    if (node.dm_uuid.starts_with("CRYPT-")) return "crypt";
    if (node.dm_uuid.starts_with("mpath-")) return "multipath";
    if (node.dm_uuid.starts_with("part")) return "partition"; // "part1-mpath-...": kpartx
    return "device-mapper";
}

void add_line(std::string& label, const std::string& line) {
    if (!line.empty()) label += (label.empty() ? "" : "\n") + line;
}

class Drawer {
public:
    explicit Drawer(const Inventory& inventory) : inventory_(inventory) {}

    void draw(const Volume& volume, bool member) {
        const auto id = "volume " + volume.superblock.text() + " " + volume.name;
        if (!seen_.insert(id).second) return;
        PlanNode node{.id = id, .label = volume.name, .kind = "volume", .placement = volume.placement, .member = member};
        add_line(node.label, volume.file_system.empty() ? volume.size.text() : volume.file_system + ", " + volume.size.text());
        graph_.nodes.push_back(std::move(node));
        for (const auto device : volume.devices) {
            graph_.edges.emplace_back(id, device.text());
            open_.push_back(device);
        }
        while (!open_.empty()) {
            const auto device = open_.back();
            open_.pop_back();
            draw(device);
        }
    }

    [[nodiscard]] const std::vector<const Volume*>& holders() const { return holders_; }
    PlanGraph take() { return std::move(graph_); }

private:
    void draw(DeviceNumber number) {
        const auto id = number.text();
        if (!seen_.insert(id).second) return;
        const auto* block = inventory_.graph().find(number);
        if (block == nullptr) {
            graph_.nodes.push_back({.id = id, .label = id, .kind = "disk", .placement = Placement::none, .member = false});
            return;
        }
        PlanNode node{.id = id, .label = block->path(), .kind = kind_of(*block), .placement = placement_of(number), .member = false};
        add_line(node.label, block->size.text());
        if (const auto disk = inventory_.disks().find(number); disk != inventory_.disks().end() && !block->backing) {
            const auto& facts = disk->second;
            add_line(node.label, facts.transport + (facts.transport.empty() || facts.vendor.empty() ? "" : ", ") + facts.vendor);
            add_line(node.label, facts.wwid.empty() ? facts.serial : facts.wwid);
        }
        graph_.nodes.push_back(std::move(node));
        for (const auto lower : block->lower) {
            graph_.edges.emplace_back(id, lower.text());
            open_.push_back(lower);
        }
        if (block->backing) draw_file(id, *block->backing);
    }

    void draw_file(const std::string& loop, const LoopBacking& backing) {
        const auto id = "file of " + loop;
        graph_.nodes.push_back({.id = id, .label = backing.path, .kind = "file", .placement = Placement::none, .member = false});
        graph_.edges.emplace_back(loop, id);
        for (const auto& volume : inventory_.volumes()) {
            if (volume.superblock != backing.file_system || backing.file_system == DeviceNumber{}) continue;
            graph_.nodes.back().placement = volume.placement;
            graph_.edges.emplace_back(id, "volume " + volume.superblock.text() + " " + volume.name);
            holders_.push_back(&volume);
            return;
        }
    }

    Placement placement_of(DeviceNumber number) const {
        const auto leaves = inventory_.graph().leaves(number);
        if (!leaves) return Placement::none;
        Placement whole = Placement::none;
        for (const auto leaf : *leaves) {
            const auto disk = inventory_.disks().find(leaf);
            const auto part = disk == inventory_.disks().end() ? Placement::none : disk->second.placement;
            if (whole == Placement::none) whole = part;
            if (part != Placement::none && part != whole) return Placement::mixed;
        }
        return whole;
    }

    const Inventory& inventory_;
    PlanGraph graph_;
    std::set<std::string> seen_;
    std::vector<DeviceNumber> open_;
    std::vector<const Volume*> holders_; ///< of files behind loop devices
};

} // namespace

PlanGraph make_plan_graph(const SetPlan& plan) {
    Drawer drawer(*plan.inventory);
    for (const auto& member : plan.members)
        if (!member.error) drawer.draw(member.volume, true);
    for (const auto& carried : plan.carried) drawer.draw(carried.volume, false);
    // Holders that are no members: their list grows while it is walked.
    for (std::size_t i = 0; i < drawer.holders().size(); ++i) drawer.draw(*drawer.holders()[i], false);
    return drawer.take();
}

} // namespace quiesced
