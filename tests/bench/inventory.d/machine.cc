// SPDX-License-Identifier: LGPL-2.1-or-later
#include "machine.h"

#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace quiesced {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kProcesses = 200;
constexpr unsigned kDmMajor = 253;
constexpr unsigned kVirtioMajor = 254;
constexpr unsigned kScsiMajor = 8;
constexpr unsigned kLoopMajor = 7;

void write(const fs::path& path, std::string_view content) {
    fs::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary);
    file.exceptions(std::ios::badbit | std::ios::failbit);
    file << content;
}

std::string number(unsigned major, std::size_t minor) { return std::to_string(major) + ":" + std::to_string(minor); }

/// A device that was made: where it is in sysfs, and its numbers.
struct Made {
    fs::path folder;
    std::string number;
    std::string name;
};

class Writer {
public:
    Writer(fs::path root, std::size_t devices) : root_(std::move(root)), wanted_(devices) {}

    void write_all() {
        fs::create_directories(root_ / "dev/mapper");
        fs::create_directories(root_ / "sys/dev/block");
        fs::create_directories(root_ / "sys/block");
        mount("0:20", "/proc", "proc", "proc");
        mount("0:21", "/sys", "sysfs", "sysfs");
        mount("0:22", "/dev", "devtmpfs", "udev");
        for (std::size_t group = 0; made_ < wanted_; ++group) write_group(group);
        write(root_ / "proc/self/mountinfo", mounts_);
        write(root_ / "proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/swapfile file 1048572 0 -2\n");
        write_processes();
    }

private:
    Made device(const fs::path& place, const std::string& numbers, std::string_view type, const std::string& uuid,
                bool whole = true) {
        ++made_;
        Made made{.folder = root_ / "sys/devices" / place, .number = numbers, .name = place.filename()};
        write(made.folder / "dev", numbers + "\n");
        write(made.folder / "size", "20971520\n");
        write(made.folder / "ro", "0\n");
        write(made.folder / "removable", "0\n");
        write(made.folder / "diskseq", std::to_string(made_) + "\n");
        write(made.folder / "uevent", "MAJOR=x\nDEVNAME=" + made.name + "\n");
        fs::create_directories(made.folder / "slaves");
        fs::create_directories(made.folder / "holders");
        fs::create_directory_symlink(fs::path("../../devices") / place, root_ / "sys/dev/block" / numbers);
        if (whole) fs::create_directory_symlink(fs::path("../devices") / place, root_ / "sys/block" / made.name);
        std::string database = "S:disk/by-id/" + made.name + "\nS:disk/by-path/pci-" + numbers + "\nI:4711000\n";
        for (int i = 0; i < 20; ++i) database += "E:ID_SOME_PROPERTY_" + std::to_string(i) + "=a value of usual length\n";
        if (!type.empty()) database += "E:ID_FS_TYPE=" + std::string(type) + "\nE:ID_FS_UUID=" + uuid + "\n";
        write(root_ / "run/udev/data" / ("b" + numbers), database + "G:systemd\n");
        return made;
    }

    static void stack(const Made& upper, const Made& lower) {
        fs::create_directory_symlink(lower.folder, upper.folder / "slaves" / lower.name);
        fs::create_directory_symlink(upper.folder, lower.folder / "holders" / upper.name);
    }

    Made dm(const std::string& name, const std::string& uuid, const std::vector<Made>& lower, std::string_view type) {
        const auto minor = dm_++;
        auto made = device("virtual/block/dm-" + std::to_string(minor), number(kDmMajor, minor), type, uuid);
        write(made.folder / "dm/name", name + "\n");
        write(made.folder / "dm/uuid", uuid + "\n");
        write(made.folder / "dm/suspended", "0\n");
        for (const auto& one : lower) stack(made, one);
        return made;
    }

    Made iscsi(std::size_t group, unsigned path) {
        const auto index = group * 2 + path;
        const auto session = "session" + std::to_string(path + 1);
        const auto host = "host" + std::to_string(path + 2);
        const auto hctl = std::to_string(path + 2) + ":0:0:" + std::to_string(group);
        const fs::path unit = fs::path("platform") / host / session / ("target" + std::to_string(path + 2) + ":0:0") / hctl;
        auto made = device(unit / "block" / ("sd" + std::to_string(index)), number(kScsiMajor, index * 16), "mpath_member", "");
        const auto folder = root_ / "sys/devices" / unit;
        const auto digits = std::to_string(1000000 + group);
        write(folder / "vendor", "LIO-ORG \n");
        write(folder / "model", "array           \n");
        write(folder / "type", "0\n");
        write(folder / "wwid", "naa.60014050000000000000000000" + digits + "\n");
        write(folder / "vpd_pg80", std::string("\x00\x80\x00\x07", 4) + digits);
        write(folder / "vpd_pg83", std::string("\x00\x83\x00\x0c\x01\x03\x00\x08\x60\x01\x40\x50", 12) + digits.substr(0, 4));
        fs::create_directory_symlink("../..", made.folder / "device");
        write(root_ / "sys/class/iscsi_session" / session / "targetname", "iqn.2003-01.org.example:array\n");
        write(root_ / "sys/class/scsi_host" / host / "proc_name", "iscsi_tcp\n");
        return made;
    }

    void write_group(std::size_t group) {
        const auto text = std::to_string(group);
        const auto virtio = "pci0000:00/0000:00:04.0/virtio" + text;
        const auto disk = device(fs::path(virtio) / "block" / ("vd" + text), number(kVirtioMajor, group * 16), "", "");
        write(disk.folder / "serial", "disk-" + text + "\n");
        fs::create_directory_symlink("../..", disk.folder / "device");
        Made partition;
        for (unsigned i = 1; i <= 2; ++i) {
            const auto place = fs::path(virtio) / "block" / disk.name / (disk.name + "p" + std::to_string(i));
            const auto made = device(place, number(kVirtioMajor, group * 16 + i), i == 1 ? "ext4" : "swap", "fs-" + text, false);
            write(made.folder / "partition", std::to_string(i) + "\n");
            write(made.folder / "start", "2048\n");
            if (i == 1) partition = made;
        }
        const auto first = iscsi(group, 0);
        const auto second = iscsi(group, 1);
        const auto lun = dm("mpath" + text, "mpath-360014050000" + text, {first, second}, "LVM2_member");
        auto volume_group = std::string(32 - text.size(), 'g') + text;
        for (char lv = 'a'; lv <= 'c'; ++lv) {
            const auto made = dm("vg" + text + "-" + lv, "LVM-" + volume_group + std::string(32, lv), {lun}, "xfs");
            if (lv < 'c') mount(made.number, "/srv/group" + text + "/volume-" + lv, "xfs", "/dev/mapper/vg" + text + "-" + lv);
        }
        const auto loop = device("virtual/block/loop" + text, number(kLoopMajor, group), "ext4", "loop-" + text);
        write(loop.folder / "loop/backing_file", "/srv/group" + text + "/volume-a/image\n");
        mount_group(text, partition, loop);
    }

    void mount_group(const std::string& text, const Made& partition, const Made& loop) {
        mount(partition.number, text == "0" ? "/" : "/disks/" + text, "ext4", "/dev/" + partition.name);
        mount(loop.number, "/images/" + text, "ext4", "/dev/" + loop.name);
        const auto lv = number(kDmMajor, dm_ - 3);
        for (const auto* folder : {"one", "two"}) mount(lv, "/bind/" + text + "/" + folder, "xfs", "/dev/mapper/vg" + text + "-a", "/" + std::string(folder));
        mount(anonymous(), "/var/lib/containers/" + text + "/merged", "overlay", "overlay", "/",
              "rw,lowerdir=/srv/group" + text + "/volume-a/l,upperdir=/srv/group" + text + "/volume-a/u,workdir=/srv/group" + text + "/volume-a/w");
        mount(anonymous(), "/run/user/" + text, "tmpfs", "tmpfs");
        mount(anonymous(), "/net/" + text, "nfs4", "server:/export/" + text);
        if (text != "0") mount(anonymous(), "/sys/fs/cgroup/" + text, "cgroup2", "cgroup2");
    }

    std::string anonymous() { return "0:" + std::to_string(100 + anonymous_++); }

    void mount(const std::string& numbers, const std::string& point, const char* type, const std::string& source,
               const std::string& root = "/", const std::string& options = "rw") {
        if (mounted_ >= wanted_) return;
        ++mounted_;
        // The root mount comes with the first group, and is 1 whatever stands before it.
        const bool top = point == "/";
        const auto id = top ? std::string("1") : std::to_string(100 + mounted_);
        mounts_ += id + " " + (top ? "0" : "1") + " " + numbers + " " + root + " " + point + " rw,relatime shared:" + id + " - " +
                   type + " " + source + " " + options + "\n";
    }

    /// A container has some mounts of its own, and the last logical volume of a group is mounted in one only.
    void write_processes() {
        const auto namespaces = 1 + wanted_ / 50;
        fs::create_symlink("mnt:[1]", prepared(root_ / "proc/self/ns/mnt"));
        for (std::size_t i = 0; i < kProcesses; ++i) {
            const auto folder = root_ / "proc" / std::to_string(1 + i * 7);
            const auto space = i % namespaces;
            fs::create_symlink("mnt:[" + std::to_string(1 + space) + "]", prepared(folder / "ns/mnt"));
            write(folder / "comm", "process-" + std::to_string(i) + "\n");
            std::string table = "900 899 0:77 / / rw - overlay overlay rw\n";
            for (int mount = 1; mount <= 30; ++mount)
                table += std::to_string(900 + mount) + " 900 0:" + std::to_string(1000 + mount) + " / /some/place-" +
                         std::to_string(mount) + " rw,nosuid - tmpfs tmpfs rw,size=64k\n";
            const auto lv = number(kDmMajor, space * 4 + 3);
            table += "999 900 " + lv + " / /data rw - xfs /dev/mapper/data rw\n";
            write(folder / "mountinfo", space == 0 ? mounts_ : table);
        }
    }

    static fs::path prepared(const fs::path& path) {
        fs::create_directories(path.parent_path());
        return path;
    }

    fs::path root_;
    std::size_t wanted_;
    std::size_t made_ = 0;
    std::size_t mounted_ = 0;
    std::size_t dm_ = 0;
    std::size_t anonymous_ = 0;
    std::string mounts_;
};

} // namespace

void write_machine(const fs::path& root, std::size_t devices) { Writer(root, devices).write_all(); }

SystemPaths machine_paths(const fs::path& root) {
    return {.mountinfo = root / "proc/self/mountinfo",
            .sysfs = root / "sys",
            .dev = root / "dev",
            .udev_data = root / "run/udev/data",
            .proc = root / "proc"};
}

LoopProbe machine_probe() {
    return [](const std::string& name, const std::string& /*backing_path*/) -> Result<LoopStatus> {
        // loop7 lies on the first logical volume of group 7: a group has four dm devices, the first is the LUN.
        std::uint32_t group = 0;
        std::from_chars(name.data() + 4, name.data() + name.size(), group);
        return LoopStatus{.file_system = {kDmMajor, group * 4 + 1}, .device = std::nullopt};
    };
}

} // namespace quiesced
