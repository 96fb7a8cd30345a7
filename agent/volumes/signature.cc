// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/signature.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <vector>

#include "base/file.h"
#include "volumes/attribute.h"

namespace quiesced {
namespace {

/// udev writes what may be unsafe in a shell as \x20.
std::string unescape_hex(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        if (text.substr(i).starts_with("\\x") && text.size() - i >= 4) {
            const auto* digits = text.data() + i + 2;
            const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
            if (error == std::errc{} && end == digits + 2) {
                result += static_cast<char>(value);
                i += 3;
                continue;
            }
        }
        result += text[i];
    }
    return result;
}

struct FreeProbe {
    void operator()(blkid_struct_probe* probe) const { ::blkid_free_probe(probe); }
};

std::string value_of(blkid_probe probe, const char* name) {
    const char* data = nullptr;
    return ::blkid_probe_lookup_value(probe, name, &data, nullptr) == 0 && data != nullptr ? data : std::string();
}

/// Whether the device itself keeps what it is asked, for ever perhaps.
bool keeps_requests(const BlockNode& node, const std::string& sysfs) {
    if (node.kind != BlockNode::Kind::device_mapper) return false;
    // A multipath device without paths keeps what it is asked (queue_if_no_path); sysfs does not tell.
    if (node.dm_uuid.starts_with("mpath-")) return true;
    return attribute_or_empty(AT_FDCWD, (sysfs + "/dev/block/" + node.number.text() + "/dm/suspended").c_str()) != "0";
}

} // namespace

bool Signature::stands_alone() const {
    // "jbd" and "xfs_external_log" are journals of a file system that is on another device.
    return type != "swap" && type != "swsuspend" && type != "jbd" && type != "xfs_external_log" &&
           !type.ends_with("_member");
}

Signature parse_udev_signature(std::string_view text) {
    Signature signature;
    std::string plain_label;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto take = [&line](std::string_view name, std::string& value) {
            if (line.starts_with(name)) value = unescape_hex(line.substr(name.size()));
        };
        take("E:ID_FS_TYPE=", signature.type);
        take("E:ID_FS_UUID=", signature.uuid);
        // The plain one has lost its spaces; older databases have only that.
        take("E:ID_FS_LABEL=", plain_label);
        take("E:ID_FS_LABEL_ENC=", signature.label);
    }
    if (signature.label.empty()) signature.label = plain_label;
    return signature;
}

Result<Signature> probe_signature(int fd) {
    const std::unique_ptr<blkid_struct_probe, FreeProbe> probe(::blkid_new_probe());
    if (!probe) return fail(ErrorKind::io, "libblkid cannot make a probe");
    if (::blkid_probe_set_device(probe.get(), fd, 0, 0) != 0)
        return fail(ErrorKind::io, "libblkid cannot read the device");
    ::blkid_probe_enable_superblocks(probe.get(), 1);
    ::blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
    // 0: found; 1: nothing; -2: several contradict each other; -1: unreadable.
    const int found = ::blkid_do_safeprobe(probe.get());
    if (found == 1) return Signature{};
    if (found == -2)
        return fail(ErrorKind::io, "the device has signatures of more than one file system",
                    "See them with 'wipefs' and erase those that are left over.");
    if (found != 0) return fail(ErrorKind::io, "libblkid cannot read the device");
    return Signature{.type = value_of(probe.get(), "TYPE"),
                     .uuid = value_of(probe.get(), "UUID"),
                     .label = value_of(probe.get(), "LABEL")};
}

bool reading_may_block(const BlockNode& node, const BlockGraph& graph, const std::string& sysfs) {
    // Each device once, however the stack is interwoven.
    std::vector<const BlockNode*> stack{&node};
    std::set<DeviceNumber> seen{node.number};
    for (std::size_t i = 0; i < stack.size(); ++i) {
        if (keeps_requests(*stack[i], sysfs)) return true;
        for (const auto number : stack[i]->lower) {
            const auto* lower = graph.find(number);
            if (lower == nullptr) return true;
            if (seen.insert(number).second) stack.push_back(lower);
        }
    }
    return false;
}

Signature read_signature(const BlockNode& node, const BlockGraph& graph, const std::string& udev_data,
                         const std::string& dev, const std::string& sysfs) {
    const auto entry = udev_data + "/b" + node.number.text();
    if (const auto text = find_content(AT_FDCWD, entry.c_str())) return parse_udev_signature(*text);
    if (reading_may_block(node, graph, sysfs)) return {};
    auto name = node.name;
    std::replace(name.begin(), name.end(), '!', '/');
    // O_PATH first: the node might be a FIFO or another device, whose open() has effects.
    const auto place = open_at(AT_FDCWD, dev + "/" + name, O_PATH);
    struct stat status {};
    if (!place || ::fstat(place->get(), &status) != 0 || !S_ISBLK(status.st_mode) ||
        DeviceNumber::from(status.st_rdev) != node.number)
        return {};
    const auto device = open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(place->get()), O_RDONLY | O_NONBLOCK);
    if (!device) return {};
    return probe_signature(device->get()).value_or(Signature{});
}

} // namespace quiesced
