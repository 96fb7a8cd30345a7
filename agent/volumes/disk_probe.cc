// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/disk_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace quiesced {
namespace {

struct Free {
    void operator()(char* memory) const { std::free(memory); } // NOLINT: realpath() allocates with malloc()
};

std::string attribute(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) return {};
    return read_attribute_at(AT_FDCWD, path).value_or(std::string());
}

/// SCSI texts are padded with spaces, on the left too.
std::string trimmed(std::string text) {
    const auto padding = [](unsigned char c) { return std::isspace(c) != 0 || c == 0; };
    text.erase(std::find_if_not(text.rbegin(), text.rend(), padding).base(), text.end());
    text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), padding));
    return text;
}

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        if (end > 0) parts.push_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return parts;
}

/// Whether `text` is `prefix` and then digits only: "session3".
bool numbered(std::string_view text, std::string_view prefix) {
    return text.size() > prefix.size() && text.starts_with(prefix) &&
           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(prefix.size()), text.end(),
                       [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// "0000:00:04.0"
bool is_pci_address(std::string_view text) {
    constexpr std::string_view shape = "hhhh:hh:hh.h";
    return text.size() == shape.size() &&
           std::equal(text.begin(), text.end(), shape.begin(), [](unsigned char c, char wanted) {
               return wanted == 'h' ? std::isxdigit(c) != 0 : c == static_cast<unsigned char>(wanted);
           });
}

/// "2:0:0:1"
bool is_hctl(std::string_view text) {
    return std::count(text.begin(), text.end(), ':') == 3 && std::isdigit(static_cast<unsigned char>(text.back())) &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0 || c == ':'; });
}

/// The unit serial number page: a head of 4 bytes, whose last two are the length.
std::string unit_serial(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) return {};
    const auto page = read_file(path, 65536 + 4);
    if (!page || page->size() < 4 || page->at(1) != '\x80') return {};
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(page->at(2)) * 256 +
                                                 static_cast<unsigned char>(page->at(3)));
    return trimmed(page->substr(4, length));
}

/// Fills in what the folders on the way to the device tell. Returns the fabric, empty for none.
std::string read_way(Disk& disk, const std::vector<std::string_view>& parts, const std::string& sysfs) {
    std::string fabric;
    for (const auto part : parts) {
        if (is_pci_address(part)) {
            disk.pci = part; // bridges come first, the controller last
        } else if (is_hctl(part)) {
            disk.hctl = part;
            const auto lun = part.substr(part.rfind(':') + 1);
            std::from_chars(lun.data(), lun.data() + lun.size(), disk.lun);
            if (disk.transport.empty() || disk.transport == "virtio") disk.transport = "scsi";
        } else if (numbered(part, "virtio")) {
            disk.transport = "virtio";
        } else if (numbered(part, "ata")) {
            disk.transport = "ata";
        } else if (numbered(part, "session")) {
            disk.transport = "iscsi";
            fabric = "iSCSI " + std::string(part);
            disk.target_iqn = attribute(sysfs + "/class/iscsi_session/" + std::string(part) + "/targetname");
        } else if (part.starts_with("rport-")) {
            disk.transport = "fc";
            const auto port = attribute(sysfs + "/class/fc_remote_ports/" + std::string(part) + "/port_name");
            fabric = "FC " + (port.empty() ? std::string(part) : port);
        } else if (numbered(part, "vbd-")) {
            disk.transport = "xen";
        }
    }
    return fabric;
}

/// NVMe says how its controllers are reached. A disk with several paths hangs below its subsystem, which lists the
/// controllers.
std::string read_nvme_way(Disk& disk, const std::string& block) {
    disk.transport = "nvme";
    std::vector<std::string> controllers{block + "/device"};
    if (attribute(block + "/device/transport").empty())
        if (const auto names = list_directory_at(AT_FDCWD, block + "/device"))
            for (const auto& name : *names)
                if (numbered(name, "nvme")) controllers.push_back(block + "/device/" + name);
    for (const auto& controller : controllers) {
        const auto way = attribute(controller + "/transport");
        if (way.empty()) continue;
        if (way != "pcie") return "nvme-" + way;
        if (disk.pci.empty()) disk.pci = attribute(controller + "/address");
    }
    return {};
}

} // namespace

Result<Disk> probe_disk(const BlockNode& node, const std::string& sysfs) {
    const auto link = sysfs + "/dev/block/" + node.number.text();
    const std::unique_ptr<char, Free> resolved(::realpath(link.c_str(), nullptr));
    if (!resolved) return fail_errno("cannot find " + node.path() + " in sysfs");
    const std::string block = resolved.get();

    Disk disk;
    disk.number = node.number;
    disk.name = node.name;
    disk.size = node.size;
    // Only what is below .../devices: a fixture tree may lie in any folder.
    const auto devices = block.rfind("/devices/");
    auto fabric =
        read_way(disk, split(std::string_view(block).substr(devices == std::string::npos ? 0 : devices)), sysfs);
    if (node.name.starts_with("nvme")) fabric = read_nvme_way(disk, block);
    if (node.name.starts_with("nbd") || node.name.starts_with("rbd")) {
        disk.transport = node.name.substr(0, 3);
        fabric = disk.transport;
    }

    // Below a virtio device, "vendor" is a PCI vendor's number.
    if (disk.transport != "virtio") {
        disk.vendor = trimmed(attribute(block + "/device/vendor"));
        disk.model = trimmed(attribute(block + "/device/model"));
    }
    disk.wwid = attribute(block + "/device/wwid");
    if (disk.wwid.empty()) disk.wwid = attribute(block + "/wwid");
    disk.serial = unit_serial(block + "/device/vpd_pg80");
    for (const auto* place : {"/serial", "/device/serial"})
        if (disk.serial.empty()) disk.serial = trimmed(attribute(block + place));
    judge_placement(disk, fabric);
    return disk;
}

} // namespace quiesced
