// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/disk_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "volumes/attribute.h"
#include "volumes/vpd.h"

namespace quiesced {
namespace {

struct Free {
    void operator()(char* memory) const { std::free(memory); } // NOLINT: realpath() allocates with malloc()
};

std::string attribute(const std::string& path) { return attribute_or_empty(AT_FDCWD, path.c_str()); }

bool is_hexadecimal(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

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

/// "0000:00:04.0"; a domain may have more digits (disks behind a VMD controller: "10000:e1:00.0").
bool is_pci_address(std::string_view text) {
    constexpr std::string_view shape = "hhhh:hh:hh.h";
    if (text.size() < shape.size() || text.size() > shape.size() + 4) return false;
    const auto extra = text.size() - shape.size();
    return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(extra), is_hexadecimal) &&
           std::equal(text.begin() + static_cast<std::ptrdiff_t>(extra), text.end(), shape.begin(), [](char c, char wanted) {
               return wanted == 'h' ? is_hexadecimal(c) : c == wanted;
           });
}

/// "2:0:0:1"
bool is_hctl(std::string_view text) {
    return std::count(text.begin(), text.end(), ':') == 3 && std::isdigit(static_cast<unsigned char>(text.back())) &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0 || c == ':'; });
}

/// A binary attribute: a VPD page has at most 65535 bytes and a head.
std::vector<std::uint8_t> page_at(const std::string& path) {
    const auto page = find_content(AT_FDCWD, path.c_str());
    if (!page) return {};
    return {page->begin(), page->end()};
}

/// "192.0.2.1:3260", "[2001:db8::1]:3260"
std::string portal_text(const std::string& address, const std::string& port) {
    if (address.empty()) return {};
    const bool bare = address.find(':') != std::string::npos && !address.starts_with('[');
    return (bare ? "[" + address + "]" : address) + (port.empty() ? "" : ":" + port);
}

void read_session(Disk& disk, const std::string& session, const std::string& sysfs) {
    disk.transport = "iscsi";
    disk.fabric = "iSCSI " + session;
    disk.target_iqn = attribute(sysfs + "/class/iscsi_session/" + session + "/targetname");
    // One connection a session is all that the initiator makes. The persistent address is the portal that was asked for,
    // the other the one that a target may have redirected to.
    const auto connection = sysfs + "/class/iscsi_connection/connection" + session.substr(std::string_view("session").size()) + ":0/";
    for (const auto* kind : {"persistent_", ""})
        if (disk.portal.empty()) disk.portal = portal_text(attribute(connection + kind + "address"), attribute(connection + kind + "port"));
}

void read_fc_port(Disk& disk, const std::string& port, const std::string& sysfs) {
    disk.transport = "fc";
    const auto name = attribute(sysfs + "/class/fc_remote_ports/" + port + "/port_name");
    disk.fabric = "FC " + (name.empty() ? port : name);
}

void read_scsi_host(Disk& disk, const std::string& host, const std::string& sysfs) {
    disk.controller = attribute(sysfs + "/class/scsi_host/" + host + "/proc_name");
    if (disk.controller == "<null>" || disk.controller == "(null)") disk.controller.clear();
    if (::access((sysfs + "/class/sas_host/" + host).c_str(), F_OK) == 0) disk.transport = "sas";
    // A host bus adapter whose remote ports are not in the way: Hyper-V's virtual Fibre Channel.
    if (::access((sysfs + "/class/fc_host/" + host).c_str(), F_OK) == 0) {
        disk.transport = "fc";
        disk.fabric = "FC " + host;
    }
}

void read_scsi_address(Disk& disk, std::string_view address) {
    disk.hctl = address;
    const auto lun = address.substr(address.rfind(':') + 1);
    std::from_chars(lun.data(), lun.data() + lun.size(), disk.lun);
    if (disk.transport.empty() || disk.transport == "virtio") disk.transport = "scsi";
}

/// Fills in what the folders on the way to the device tell: the controller's first, the disk's last.
void read_way(Disk& disk, const std::vector<std::string_view>& parts, const std::string& sysfs) {
    for (const auto part : parts) {
        if (is_pci_address(part)) {
            disk.pci = part; // bridges come first, the controller last
        } else if (is_hctl(part)) {
            read_scsi_address(disk, part);
        } else if (numbered(part, "virtio")) {
            disk.transport = "virtio";
        } else if (numbered(part, "ata")) {
            disk.transport = "ata";
        } else if (numbered(part, "usb")) {
            disk.transport = "usb";
        } else if (numbered(part, "host")) {
            read_scsi_host(disk, std::string(part), sysfs);
        } else if (numbered(part, "session")) {
            read_session(disk, std::string(part), sysfs);
        } else if (part.starts_with("rport-")) {
            read_fc_port(disk, std::string(part), sysfs);
        } else if (numbered(part, "vbd-")) {
            disk.transport = "xen";
        }
    }
}

/// The value of `key` in "traddr=192.0.2.1,trsvcid=4420".
std::string address_part(std::string_view address, std::string_view key) {
    while (!address.empty()) {
        const auto part = address.substr(0, address.find(','));
        address.remove_prefix(std::min(part.size() + 1, address.size()));
        if (part.starts_with(key) && part.substr(key.size()).starts_with('=')) return std::string(part.substr(key.size() + 1));
    }
    return {};
}

/// NVMe says how its controllers are reached. A disk with several paths hangs below its subsystem, which lists the
/// controllers.
void read_nvme(Disk& disk, const std::string& block) {
    disk.transport = "nvme";
    disk.nqn = attribute(block + "/device/subsysnqn");
    std::vector<std::string> controllers{block + "/device"};
    if (attribute(block + "/device/transport").empty())
        if (const auto names = list_directory_at(AT_FDCWD, block + "/device"))
            for (const auto& name : *names)
                if (numbered(name, "nvme")) controllers.push_back(block + "/device/" + name);
    for (const auto& controller : controllers) {
        const auto way = attribute(controller + "/transport");
        if (way.empty()) continue;
        const auto address = attribute(controller + "/address");
        // "apple-nvme" is a local controller, too.
        if (way == "tcp" || way == "rdma" || way == "fc" || way == "loop") {
            disk.fabric = "nvme-" + way;
            disk.portal = portal_text(address_part(address, "traddr"), address_part(address, "trsvcid"));
            return;
        }
        if (disk.pci.empty() && is_pci_address(address)) disk.pci = address;
    }
}

/// The unit's names, of every place that has them.
void read_names(Disk& disk, const std::string& block) {
    const auto add = [&](const std::string& name) {
        if (name.empty() || std::find(disk.wwids.begin(), disk.wwids.end(), name) != disk.wwids.end()) return;
        disk.wwids.push_back(name);
    };
    for (const auto* place : {"/device/wwid", "/wwid"}) add(trimmed(attribute(block + place)));
    for (const auto& name : unit_names(parse_device_identification(page_at(block + "/device/vpd_pg83")))) add(name);
    if (disk.transport == "nvme") {
        const auto add_as = [&](const char* form, const char* place) {
            auto value = attribute(block + place);
            if (value.find_first_not_of("0- ") == std::string::npos) return; // the controller has none
            if (std::string_view(form) == "eui.") std::erase_if(value, [](char c) { return c == ' ' || c == '-'; });
            add(form + value);
        };
        add_as("eui.", "/nguid");
        add_as("eui.", "/eui");
        add_as("uuid.", "/uuid");
    }
    if (!disk.wwids.empty()) disk.wwid = disk.wwids.front();
}

/// The device's folder, empty with errno when there is none.
std::string find_folder(const BlockNode& node, const std::string& sysfs) {
    const auto link = sysfs + "/dev/block/" + node.number.text();
    std::array<char, PATH_MAX> target{};
    const auto length = ::readlink(link.c_str(), target.data(), target.size());
    if (length < 0) return {};
    // The kernel's links are of this form; realpath() would ask for every folder on the way.
    constexpr std::string_view up = "../../";
    const std::string_view text(target.data(), static_cast<std::size_t>(length));
    if (text.starts_with(up) && text.find("/../", up.size()) == std::string_view::npos) {
        auto folder = sysfs + "/" + std::string(text.substr(up.size()));
        return ::access(folder.c_str(), F_OK) == 0 ? folder : std::string();
    }
    const std::unique_ptr<char, Free> resolved(::realpath(link.c_str(), nullptr));
    return resolved ? resolved.get() : std::string();
}

} // namespace

Result<Disk> probe_disk(const BlockNode& node, const std::string& sysfs) {
    const auto block = find_folder(node, sysfs);
    if (block.empty()) return fail_errno("cannot find " + node.path() + " in sysfs");

    Disk disk;
    disk.number = node.number;
    disk.name = node.name;
    disk.size = node.size;
    // Only what is below .../devices: a fixture tree may lie in any folder.
    const auto devices = block.rfind("/devices/");
    read_way(disk, split(std::string_view(block).substr(devices == std::string::npos ? 0 : devices)), sysfs);
    if (node.name.starts_with("nvme")) read_nvme(disk, block);
    if (node.name.starts_with("nbd") || node.name.starts_with("rbd")) disk.fabric = disk.transport = node.name.substr(0, 3);

    // Below a virtio device, "vendor" is a PCI vendor's number.
    if (disk.transport != "virtio") {
        disk.vendor = trimmed(attribute(block + "/device/vendor"));
        disk.model = trimmed(attribute(block + "/device/model"));
    }
    read_names(disk, block);
    disk.serial = parse_unit_serial(page_at(block + "/device/vpd_pg80"));
    for (const auto* place : {"/serial", "/device/serial"})
        if (disk.serial.empty()) disk.serial = trimmed(attribute(block + place));
    const auto sequence = attribute(block + "/diskseq");
    std::from_chars(sequence.data(), sequence.data() + sequence.size(), disk.sequence);
    judge_placement(disk);
    return disk;
}

} // namespace quiesced
