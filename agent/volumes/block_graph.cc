// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/block_graph.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <climits>
#include <set>
#include <unordered_map>

#include "base/file.h"
#include "volumes/attribute.h"

namespace quiesced {
namespace {

bool exists_at(int directory, const char* name) { return ::faccessat(directory, name, F_OK, 0) == 0; }

std::uint64_t to_number(const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// What the link in dev/block points to: "../../devices/.../block/vda/vda1".
std::string link_target(int directory, const std::string& link) {
    std::array<char, PATH_MAX> target{};
    const auto length = ::readlinkat(directory, link.c_str(), target.data(), target.size());
    return length <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(length));
}

/// Takes the last part off a path.
std::string take_last_part(std::string& path) {
    const auto slash = path.rfind('/');
    auto part = path.substr(slash + 1);
    path.resize(slash == std::string::npos ? 0 : slash);
    return part;
}

/// Disks that a driver of hardware made: they lie on nothing.
bool never_has_slaves(std::string_view name) {
    constexpr auto prefixes = std::to_array<std::string_view>({"sd", "vd", "xvd", "hd", "nvme", "mmcblk", "sr", "loop", "ram"});
    return std::any_of(prefixes.begin(), prefixes.end(), [name](auto prefix) { return name.starts_with(prefix); });
}

/// A device while the graph is put together.
struct Draft {
    BlockNode node;
    std::string disk;                ///< of a partition: its disk's kernel name
    std::vector<std::string> slaves; ///< kernel names
};

void add_backing(BlockNode& node, int directory, const LoopProbe& probe) {
    // Absent while nothing backs the device. Only the newline is the kernel's: a file name may end in a space.
    auto path = find_content(directory, "loop/backing_file");
    if (!path) return;
    if (path->ends_with('\n')) path->pop_back();
    if (path->empty()) return;
    const auto status = probe(node.name, *path);
    if (status && status->device) {
        node.lower.push_back(*status->device);
        return;
    }
    node.backing = LoopBacking{.path = *path, .file_system = status ? status->file_system : DeviceNumber{}};
}

/// The part of a device-mapper UUID that tells who made the device, in small letters. kpartx writes "part1-mpath-...".
std::string dm_owner(const std::string& uuid) {
    if (uuid.empty()) return "dm";
    auto owner = uuid.substr(0, uuid.find('-'));
    std::transform(owner.begin(), owner.end(), owner.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return owner.starts_with("part") ? "part" : owner;
}

/// What SCSI calls the kind of a device ("peripheral device type"); only those that have block devices.
std::string scsi_type(const std::string& number) {
    if (number == "4") return "worm";
    if (number == "5") return "rom";
    if (number == "7") return "mo-disk";
    if (number == "14") return "rbc";
    return "disk";
}

/// The words are those of lsblk, which people know.
std::string type_of(const BlockNode& node, int directory) {
    switch (node.kind) {
    case BlockNode::Kind::partition:
        return "part";
    case BlockNode::Kind::device_mapper:
        return dm_owner(node.dm_uuid);
    case BlockNode::Kind::md: {
        auto level = attribute_or_empty(directory, "md/level");
        return level.empty() ? "md" : level;
    }
    case BlockNode::Kind::loop:
        return "loop";
    case BlockNode::Kind::disk:
        return scsi_type(attribute_or_empty(directory, "device/type"));
    }
    return "disk";
}

std::optional<Draft> read_draft(int all, const std::string& number_text, const LoopProbe& probe) {
    const auto number = DeviceNumber::parse(number_text);
    if (!number) return std::nullopt;
    const auto directory = open_at(all, number_text, O_RDONLY | O_DIRECTORY);
    if (!directory) return std::nullopt;
    const int fd = directory->get();
    Draft draft;
    auto& node = draft.node;
    node.number = *number;
    auto path = link_target(all, number_text);
    node.name = take_last_part(path);
    // Without them it has vanished, or is nothing that we know.
    const auto size = find_attribute(fd, "size");
    if (node.name.empty() || !size) return std::nullopt;
    node.size = Bytes{to_number(*size) * kSectorSize};
    node.read_only = to_number(attribute_or_empty(fd, "ro")) != 0;
    if (exists_at(fd, "partition")) {
        node.kind = BlockNode::Kind::partition;
        draft.disk = take_last_part(path);
    } else if (node.name.starts_with("dm-") && exists_at(fd, "dm")) {
        node.kind = BlockNode::Kind::device_mapper;
        node.dm_name = attribute_or_empty(fd, "dm/name");
        node.dm_uuid = attribute_or_empty(fd, "dm/uuid");
    } else if (node.name.starts_with("md") && exists_at(fd, "md")) {
        node.kind = BlockNode::Kind::md;
    } else if (node.name.starts_with("loop")) {
        // The "loop" folder is there only while something backs the device.
        node.kind = BlockNode::Kind::loop;
        add_backing(node, fd, probe);
    }
    if (draft.disk.empty() && !never_has_slaves(node.name))
        draft.slaves = list_directory_at(fd, "slaves").value_or(std::vector<std::string>{});
    node.type = type_of(node, fd);
    return draft;
}

/// Names are the kernel's own and each is there once, so that the numbers need not be read again.
class Linker {
public:
    Linker(int all, const std::vector<Draft>& drafts) : all_(all) {
        for (const auto& draft : drafts) numbers_.emplace(draft.node.name, draft.node.number);
    }

    void link(Draft& draft) const {
        const auto folder = draft.node.number.text();
        if (!draft.disk.empty()) add(draft.node, draft.disk, folder + "/../dev");
        for (const auto& slave : draft.slaves) add(draft.node, slave, folder + "/slaves/" + slave + "/dev");
    }

private:
    void add(BlockNode& node, const std::string& name, const std::string& attribute) const {
        if (const auto known = numbers_.find(name); known != numbers_.end()) {
            node.lower.push_back(known->second);
            return;
        }
        // It came after the list was read, or has gone.
        if (const auto number = DeviceNumber::parse(attribute_or_empty(all_, attribute.c_str()))) node.lower.push_back(*number);
    }

    int all_;
    std::unordered_map<std::string_view, DeviceNumber> numbers_; ///< by the names in the drafts
};

/// Depth-first, with the devices on the way from the start to find cycles.
class LeafWalk {
public:
    explicit LeafWalk(const BlockGraph& graph) : graph_(graph) {}

    Result<void> visit(DeviceNumber number) {
        const auto* node = graph_.find(number);
        if (node == nullptr)
            return fail(ErrorKind::io, "block device " + number.text() + " is not there (any more)",
                        "If disks were just added or removed, try again.");
        if (std::find(path_.begin(), path_.end(), number) != path_.end())
            return fail(ErrorKind::unsupported, node->path() + " lies on itself",
                        "Check its table with 'dmsetup deps' or 'lsblk -s'.");
        if (path_.size() > kDeepestStack)
            return fail(ErrorKind::unsupported,
                        node->path() + " is below more than " + std::to_string(kDeepestStack) +
                            " layers of block devices",
                        "Such a stack cannot be snapshotted.");
        if (!seen_.insert(number).second) return {};
        if (node->lower.empty()) {
            leaves_.push_back(number);
            return {};
        }
        path_.push_back(number);
        for (const auto lower : node->lower)
            if (auto visited = visit(lower); !visited) return visited;
        path_.pop_back();
        return {};
    }

    std::vector<DeviceNumber> take() { return std::move(leaves_); }

private:
    const BlockGraph& graph_;
    std::vector<DeviceNumber> path_;
    std::set<DeviceNumber> seen_;
    std::vector<DeviceNumber> leaves_;
};

} // namespace

std::string BlockNode::path() const {
    if (kind == Kind::device_mapper && !dm_name.empty()) return "/dev/mapper/" + dm_name;
    // sysfs cannot have a slash in a name, /dev can: "cciss!c0d0" is /dev/cciss/c0d0.
    std::string text = "/dev/" + name;
    std::replace(text.begin(), text.end(), '!', '/');
    return text;
}

std::string BlockNode::lvm_layer() const {
    // "LVM-", 32 characters of the group and 32 of the volume; most of LVM's own layers have a suffix after these.
    constexpr std::size_t plain = 4 + 32 + 32;
    if (!dm_uuid.starts_with("LVM-")) return {};
    if (dm_uuid.size() > plain) return dm_uuid.substr(std::min(plain + 1, dm_uuid.size()));
    // The parts of mirrors and raid sets have a suffix in the name only; LVM permits it to nobody else.
    for (const auto* part : {"_rimage_", "_rmeta_", "_mimage_"})
        if (const auto place = dm_name.rfind(part); place != std::string::npos) {
            const auto index = std::string_view(dm_name).substr(place + std::string_view(part).size());
            if (index.empty() || index.find_first_not_of("0123456789") != std::string_view::npos) continue;
            return std::string(part + 1, std::string_view(part).size() - 2);
        }
    return dm_name.ends_with("_mlog") ? "mlog" : "";
}

Result<BlockGraph> BlockGraph::read(const std::string& sysfs, const LoopProbe& probe) {
    const auto all = open_at(AT_FDCWD, sysfs + "/dev/block", O_RDONLY | O_DIRECTORY);
    if (!all) return tl::unexpected<Error>(all.error());
    const auto numbers = list_directory_at(all->get(), ".");
    if (!numbers) return tl::unexpected<Error>(numbers.error());
    const LoopProbe ask = probe ? probe : [](const std::string& name, const std::string& /*backing_path*/) {
        return read_loop_status("/dev", name);
    };
    std::vector<Draft> drafts;
    for (const auto& number : *numbers)
        if (auto draft = read_draft(all->get(), number, ask)) drafts.push_back(std::move(*draft));
    const Linker linker(all->get(), drafts);
    for (auto& draft : drafts) linker.link(draft);
    std::map<DeviceNumber, BlockNode> nodes;
    for (auto& draft : drafts) nodes.emplace(draft.node.number, std::move(draft.node));
    return BlockGraph(std::move(nodes));
}

const BlockNode* BlockGraph::find(DeviceNumber number) const {
    const auto node = nodes_.find(number);
    return node == nodes_.end() ? nullptr : &node->second;
}

Result<std::vector<DeviceNumber>> BlockGraph::leaves(DeviceNumber number) const {
    LeafWalk walk(*this);
    if (auto visited = walk.visit(number); !visited) return pass(visited);
    return walk.take();
}

} // namespace quiesced
