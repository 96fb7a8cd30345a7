// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "volumes/inventory.h"

namespace quiesced {

/// A machine made of files: sysfs, the udev database, the mount table and /dev in a temporary folder that goes away
/// with the test.
class Fixture {
public:
    Fixture() {
        auto pattern = (std::filesystem::temp_directory_path() / "quiesced-volumes-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
        root_ = pattern;
        for (const auto* folder : {"sys/dev/block", "sys/class", "dev/mapper", "udev"})
            std::filesystem::create_directories(root_ / folder);
        write("mountinfo", "");
    }
    ~Fixture() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    Fixture(Fixture&&) = delete;
    Fixture& operator=(Fixture&&) = delete;

    [[nodiscard]] std::string path(const std::string& below = {}) const { return (root_ / below).string(); }
    [[nodiscard]] std::string sysfs() const { return path("sys"); }

    void write(const std::string& below, std::string_view content) const {
        std::filesystem::create_directories((root_ / below).parent_path());
        std::ofstream file(root_ / below, std::ios::binary | std::ios::trunc);
        file << content;
        if (!file) throw std::runtime_error("cannot write " + below);
    }

    /// A block device at sys/devices/<place>, whose last part is its name.
    void block(const std::string& number, const std::string& place, std::uint64_t mebibytes = 1024) {
        const auto folder = "sys/devices/" + place;
        places_[number] = folder;
        write(folder + "/dev", number + "\n");
        write(folder + "/size", std::to_string(mebibytes * 2048) + "\n");
        write(folder + "/ro", "0\n");
        std::filesystem::create_directories(root_ / folder / "slaves");
        std::filesystem::create_symlink("../../devices/" + place, root_ / "sys/dev/block" / number);
    }
    /// An attribute of a block device, or of what it belongs to ("device/vendor").
    void attribute(const std::string& number, const std::string& name, std::string_view value) const {
        write(places_.at(number) + "/" + name, std::string(value) + "\n");
    }
    void virtio(const std::string& number, const std::string& name, const std::string& serial = {}) {
        block(number, "pci0000:00/0000:00:04.0/virtio1/block/" + name);
        if (!serial.empty()) attribute(number, "serial", serial);
    }
    void partition(const std::string& number, const std::string& disk, const std::string& name) {
        block(number, places_.at(disk).substr(std::string_view("sys/devices/").size()) + "/" + name);
        attribute(number, "partition", "1");
    }
    void dm(const std::string& number, const std::string& name, const std::string& uuid,
            const std::vector<std::string>& lower) {
        block(number, "virtual/block/dm-" + number.substr(number.find(':') + 1));
        attribute(number, "dm/name", name);
        attribute(number, "dm/uuid", uuid);
        attribute(number, "dm/suspended", "0");
        for (const auto& slave : lower) stack(number, slave);
    }
    void stack(const std::string& upper, const std::string& lower) const {
        const auto target = root_ / places_.at(lower);
        std::filesystem::create_directory_symlink(target, root_ / places_.at(upper) / "slaves" / target.filename());
    }
    /// A loop device whose file the kernel says to be on `file_system`.
    void loop(int index, const std::string& file, const std::string& file_system) {
        const auto number = "7:" + std::to_string(index);
        const auto name = "loop" + std::to_string(index);
        block(number, "virtual/block/" + name);
        attribute(number, "loop/backing_file", file);
        loops_[name] = file_system;
    }
    /// What udev knows: "ID_FS_TYPE=xfs" and so on.
    void udev(const std::string& number, const std::vector<std::string>& properties) const {
        std::string text = "S:disk/by-path/x\nI:4711\n";
        for (const auto& property : properties) text += "E:" + property + "\n";
        write("udev/b" + number, text + "G:systemd\n");
    }
    /// A line of the mount table below the root mount (if that is made first), or below `parent`. Returns its mount id.
    int mount(const std::string& number, const std::string& point, const std::string& type, const std::string& source,
              const std::string& root = "/", int parent = -1, const std::string& super_options = "rw") {
        const int id = next_mount_++;
        if (parent < 0) parent = root_mount_;
        if (point == "/") root_mount_ = id;
        mounts_ += std::to_string(id) + " " + std::to_string(parent) + " " + number + " " + root + " " + point +
                   " rw,relatime shared:1 - " + type + " " + source + " " + super_options + "\n";
        write("mountinfo", mounts_);
        return id;
    }
    void raw_mount_line(const std::string& line) {
        mounts_ += line + "\n";
        write("mountinfo", mounts_);
    }

    /// A process in the mount namespace `space` (ours is 1) with that mount table.
    void process(int pid, int space, const std::string& command, const std::string& table) const {
        const auto folder = "proc/" + std::to_string(pid);
        own_namespace();
        namespace_link(folder, space);
        write(folder + "/comm", command + "\n");
        write(folder + "/mountinfo", table);
    }
    void swaps(const std::string& lines) const { write("proc/swaps", "Filename\t\tType\t\tSize\tUsed\tPriority\n" + lines); }

    [[nodiscard]] LoopProbe probe() const {
        return [this](const std::string& name, const std::string&) -> Result<LoopStatus> {
            asked.push_back(name);
            const auto known = loops_.find(name);
            if (known == loops_.end() || known->second.empty()) return fail(ErrorKind::kernel, "not permitted");
            return LoopStatus{.file_system = DeviceNumber::parse(known->second).value(), .device = std::nullopt};
        };
    }
    [[nodiscard]] SystemPaths paths() const {
        return {.mountinfo = path("mountinfo"),
                .sysfs = sysfs(),
                .dev = path("dev"),
                .udev_data = path("udev"),
                .proc = path("proc")};
    }
    [[nodiscard]] Inventory inventory() const { return Inventory::read(paths(), probe()).value(); }

    mutable std::vector<std::string> asked; ///< loop devices whose status was asked for

private:
    void own_namespace() const {
        if (!std::filesystem::is_symlink(root_ / "proc/self/ns/mnt")) namespace_link("proc/self", 1);
    }
    void namespace_link(const std::string& process, int space) const {
        std::filesystem::create_directories(root_ / process / "ns");
        std::filesystem::create_symlink("mnt:[" + std::to_string(space) + "]", root_ / process / "ns/mnt");
    }

    std::filesystem::path root_;
    std::map<std::string, std::string> places_;
    std::map<std::string, std::string> loops_;
    std::string mounts_;
    int next_mount_ = 1;
    int root_mount_ = 0;
};

/// The volume of a name, as shown to people; fails the test if there is none.
inline const Volume& volume_named(const Inventory& inventory, const std::string& name) {
    for (const auto& volume : inventory.volumes())
        if (volume.name == name) return volume;
    throw std::runtime_error("no volume " + name);
}

inline std::vector<std::string> names_of(const std::vector<const Volume*>& volumes) {
    std::vector<std::string> names;
    for (const auto* volume : volumes) names.push_back(volume->name);
    return names;
}

inline std::vector<std::string> all_names(const Inventory& inventory) {
    std::vector<std::string> names;
    for (const auto& volume : inventory.volumes()) names.push_back(volume.name);
    return names;
}

} // namespace quiesced
