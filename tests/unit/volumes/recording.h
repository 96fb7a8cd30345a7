// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "volumes/inventory.h"

namespace quiesced {

/// What lsblk said of a block device: a node of its trees, in which a device stands once below each of those it lies on.
struct SaidDevice {
    std::string name; ///< the kernel's
    std::string path;
    std::string type; ///< "disk", "lvm"
    std::string file_system;
    std::string uuid;
    std::string label;
    std::string serial;
    std::string wwn; ///< "0x6001405..."
    std::string vendor;
    std::string model;
    std::string hctl;
    std::string transport;
    Bytes size;
    bool read_only = false;
    std::set<DeviceNumber> parents;   ///< what it lies on
    std::set<DeviceNumber> children;  ///< what lies on it
    std::set<std::string> mountpoints; ///< "[SWAP]" among them
};

/// A row of findmnt.
struct SaidMount {
    std::uint64_t id = 0;
    std::string target;
    std::string root;
    std::string type;
    std::string options; ///< of the mount
    std::string source;
    std::string uuid;
    std::string label;
    DeviceNumber superblock;
};

/// A recording of tests/fixtures/record, unpacked into a temporary folder that goes away with the object.
class Recording {
public:
    /// Throws std::runtime_error when it cannot be unpacked or what others said cannot be read.
    explicit Recording(const std::string& archive);
    ~Recording();
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    Recording(Recording&&) = delete;
    Recording& operator=(Recording&&) = delete;

    /// What the inventory makes of the recorded machine.
    [[nodiscard]] Inventory inventory() const;

    std::map<DeviceNumber, SaidDevice> devices;                                ///< by lsblk
    std::vector<SaidMount> mounts;                                             ///< by findmnt, in our own namespace
    std::map<int, std::vector<SaidMount>> other_mounts;                        ///< likewise, of another process
    std::map<DeviceNumber, std::map<std::string, std::string>> properties;     ///< by udevadm
    std::map<std::string, LoopStatus> loops;                                   ///< what the kernel said of loop devices
    std::set<std::string> loops_not_asked;                                     ///< loop devices that were not asked for their file

private:
    [[nodiscard]] std::string read(const std::string& below) const;
    void read_lsblk();
    void read_udevadm();
    [[nodiscard]] std::vector<SaidMount> read_findmnt(const std::string& below) const;
    void read_loops();

    std::string root_;
};

/// All recordings of the tree: paths of tests/fixtures/*.tar.xz.
std::vector<std::string> recordings();

} // namespace quiesced
