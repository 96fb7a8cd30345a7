// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "fixture.h"

namespace quiesced {

/// A machine whose disks have identities of their own.
class DiskMachine : public Fixture {
public:
    DiskMachine() { virtio_disk("254:0", "vda", "0000:00:03.0", "root"), mount("254:0", "/", "ext4", "/dev/vda"); }

    void virtio_disk(const std::string& number, const std::string& name, const std::string& pci, const std::string& serial = {},
                     std::uint64_t mebibytes = 1024) {
        block(number, "pci0000:00/" + pci + "/virtio" + number.substr(4) + "/block/" + name, mebibytes);
        if (!serial.empty()) attribute(number, "serial", serial);
    }
    /// A SCSI disk below a folder of sys/devices: "pci0000:00/0000:00:05.0/virtio2/host0/target0:0:1".
    void scsi_disk(const std::string& number, const std::string& name, const std::string& below, const std::string& hctl, const std::string& vendor,
                   const std::string& model, const std::string& wwid = {}, std::uint64_t mebibytes = 2048) {
        const auto device = below + "/" + hctl;
        block(number, device + "/block/" + name, mebibytes);
        write("sys/devices/" + device + "/vendor", vendor + "\n");
        write("sys/devices/" + device + "/model", model + "\n");
        if (!wwid.empty()) write("sys/devices/" + device + "/wwid", wwid + "\n");
        std::filesystem::create_directory_symlink("../..", path("sys/devices/" + device + "/block/" + name + "/device"));
    }
    void iscsi_disk(const std::string& number, const std::string& name, int session, int lun, const std::string& wwid) {
        const auto host = std::to_string(session + 1);
        const auto target = "target" + host + ":0:0";
        scsi_disk(number, name, "platform/host" + host + "/session" + std::to_string(session) + "/" + target, host + ":0:0:" + std::to_string(lun), "LIO-ORG",
                  "array", wwid);
    }
    /// Two paths to a LUN of its own, sda and sdb, with a multipath device above them.
    void multipath() {
        iscsi_disk("8:0", "sda", 1, 3, "naa.60014050000000000000000000000001");
        iscsi_disk("8:16", "sdb", 2, 3, "naa.60014050000000000000000000000001");
        dm("253:0", "mpatha", "mpath-360014050000000000000000000000001", {"8:0", "8:16"});
        mount("253:0", "/lun", "xfs", "/dev/mapper/mpatha");
    }
};

inline constexpr const char* kLunWwid = "naa.60014050000000000000000000000001";

} // namespace quiesced
