// SPDX-License-Identifier: LGPL-2.1-or-later
#include "recording.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/file.h"

namespace quiesced {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// What lsblk and findmnt print need not be UTF-8, which JSON must be: each byte stands for the character of its number
/// until the_bytes() has it back.
Json parse_bytes(const std::string& text) {
    std::string characters;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80U) characters += static_cast<char>(0xC0U | (byte >> 6U));
        characters += static_cast<char>(byte >= 0x80U ? 0x80U | (byte & 0x3FU) : byte);
    }
    return Json::parse(characters);
}

std::string the_bytes(const std::string& characters) {
    std::string text;
    for (std::size_t i = 0; i < characters.size(); ++i) {
        const auto byte = static_cast<unsigned char>(characters[i]);
        if (byte < 0x80U) {
            text += characters[i];
        } else {
            ++i;
            text += static_cast<char>(((byte & 0x03U) << 6U) | (static_cast<unsigned char>(characters.at(i)) & 0x3FU));
        }
    }
    return text;
}

/// null, numbers and booleans become texts as well: older releases print some of them as such.
std::string text_of(const Json& object, const char* key) {
    const auto place = object.find(key);
    if (place == object.end() || place->is_null()) return {};
    return place->is_string() ? the_bytes(place->get<std::string>()) : place->dump();
}

void add_device(std::map<DeviceNumber, SaidDevice>& devices, const Json& node, const DeviceNumber* parent) {
    const auto number = DeviceNumber::parse(text_of(node, "maj:min")).value();
    auto& device = devices[number];
    device.name = text_of(node, "kname");
    device.path = text_of(node, "path");
    device.type = text_of(node, "type");
    device.file_system = text_of(node, "fstype");
    device.uuid = text_of(node, "uuid");
    device.label = text_of(node, "label");
    device.serial = text_of(node, "serial");
    device.wwn = text_of(node, "wwn");
    device.vendor = text_of(node, "vendor");
    device.model = text_of(node, "model");
    device.hctl = text_of(node, "hctl");
    device.transport = text_of(node, "tran");
    device.size = Bytes{std::stoull("0" + text_of(node, "size"))};
    device.read_only = text_of(node, "ro") == "true" || text_of(node, "ro") == "1";
    for (const auto& point : node.value("mountpoints", Json::array()))
        if (point.is_string()) device.mountpoints.insert(the_bytes(point.get<std::string>()));
    if (parent != nullptr) {
        device.parents.insert(*parent);
        devices[*parent].children.insert(number);
    }
    for (const auto& child : node.value("children", Json::array())) add_device(devices, child, &number);
}

} // namespace

Recording::Recording(const std::string& archive) {
    auto pattern = (fs::temp_directory_path() / "quiesced-recording-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    root_ = pattern;
    const auto done = run_child({"tar", "-xJf", archive, "-C", root_});
    if (!done || done->exit_status != 0)
        throw std::runtime_error("cannot unpack " + archive + ": " + (done ? done->errors : done.error().message()));
    read_loops();
    read_lsblk();
    read_udevadm();
    mounts = read_findmnt("said/findmnt.json");
    for (const auto& entry : fs::directory_iterator(root_ + "/said")) {
        const auto name = entry.path().filename().string();
        if (name.starts_with("findmnt-")) other_mounts[std::stoi(name.substr(8))] = read_findmnt("said/" + name);
    }
}

Recording::~Recording() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

std::string Recording::read(const std::string& below) const {
    auto text = read_file(root_ + "/" + below);
    if (!text) throw std::runtime_error("the recording has no " + below + ": " + text.error().message());
    return *std::move(text);
}

void Recording::read_loops() {
    const auto said = Json::parse(read("loops.json"));
    for (const auto& [name, answer] : said.items()) {
        LoopStatus status{.file_system = DeviceNumber::parse(text_of(answer, "file_system")).value(), .device = std::nullopt};
        if (const auto device = text_of(answer, "device"); !device.empty()) status.device = DeviceNumber::parse(device).value();
        loops[name] = status;
    }
}

void Recording::read_lsblk() {
    const auto said = parse_bytes(read("said/lsblk.json"));
    for (const auto& node : said.at("blockdevices")) add_device(devices, node, nullptr);
    for (auto& [number, device] : devices)
        if (device.type == "loop" && fs::exists(root_ + "/sys/block/" + device.name + "/loop/backing_file") && !loops.contains(device.name))
            loops_not_asked.insert(device.name);
}

void Recording::read_udevadm() {
    std::istringstream text(read("said/udevadm.txt"));
    std::map<std::string, std::string> entry;
    const auto finish = [&] {
        if (entry.contains("MAJOR"))
            properties[DeviceNumber::parse(entry["MAJOR"] + ":" + entry["MINOR"]).value()] = entry;
        entry.clear();
    };
    for (std::string line; std::getline(text, line);) {
        if (line.empty()) finish();
        const auto equal = line.find('=');
        if (line.starts_with("E: ") && equal != std::string::npos) entry[line.substr(3, equal - 3)] = line.substr(equal + 1);
    }
    finish();
}

std::vector<SaidMount> Recording::read_findmnt(const std::string& below) const {
    std::vector<SaidMount> rows;
    const auto said = parse_bytes(read(below));
    for (const auto& row : said.at("filesystems"))
        rows.push_back({.id = std::stoull(text_of(row, "id")),
                        .target = text_of(row, "target"),
                        .root = text_of(row, "fsroot"),
                        .type = text_of(row, "fstype"),
                        .options = text_of(row, "vfs-options"),
                        .source = text_of(row, "source"),
                        .uuid = text_of(row, "uuid"),
                        .label = text_of(row, "label"),
                        .superblock = DeviceNumber::parse(text_of(row, "maj:min")).value()});
    return rows;
}

Inventory Recording::inventory() const {
    const LoopProbe probe = [this](const std::string& name, const std::string&) -> Result<LoopStatus> {
        const auto answer = loops.find(name);
        if (answer == loops.end()) return fail(ErrorKind::kernel, "nobody asked for " + name);
        return answer->second;
    };
    SystemPaths paths;
    paths.mountinfo = root_ + "/mountinfo";
    paths.sysfs = root_ + "/sys";
    paths.dev = root_ + "/dev";
    paths.udev_data = root_ + "/udev";
    paths.proc = root_ + "/proc";
    auto inventory = Inventory::read(paths, probe);
    if (!inventory) throw std::runtime_error(inventory.error().message());
    return std::move(*inventory);
}

std::vector<std::string> recordings() {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(QUIESCED_FIXTURES))
        if (entry.path().native().ends_with(".tar.xz")) found.push_back(entry.path().string());
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace quiesced
