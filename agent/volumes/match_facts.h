// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quiesced {

/// A WWID without what writers of it differ in: case, "naa." and "0x", "wwn-0x", the digit that udev and multipath put
/// in front, VMware's "vml." around it, colons, dashes and spaces between digits. Hexadecimal digits alone stay
/// ("6001405..."), or a text with single spaces ("t10.ata qemu harddisk qm00001").
struct NormalWwid {
    std::string text;
    bool hexadecimal = false; ///< false: a text, which says nothing against a number
    bool operator==(const NormalWwid&) const = default;
};
NormalWwid normal_wwid(std::string_view wwid);

/// The same as the kernel would write it, for those who go by it (plugins, udev's links): "naa.6001405...".
std::string kernel_wwid(std::string_view wwid);

/// A serial number without case, dashes and spaces: hypervisors write UUIDs in several ways.
std::string normal_serial(std::string_view serial);

/// Whether `told` by a hypervisor can be the serial that a disk shows. QEMU cuts a virtio-blk serial after 20 bytes, and
/// that of a SCSI disk after 20 or 36; `cut` says that the disk is one of QEMU's.
bool same_serial(std::string_view told, std::string_view shown, bool cut);

/// "0000:00:04.0" or "00:04.0", with digits of any case.
struct PciAddress {
    std::uint32_t domain = 0;
    std::uint32_t bus = 0;
    std::uint32_t device = 0;
    std::uint32_t function = 0;
    bool operator==(const PciAddress&) const = default;
};
std::optional<PciAddress> parse_pci(std::string_view text);

/// "2:0:0:1"; "*:0:0:1" or "0:0:1" where the host's number, which differs from boot to boot, is not known.
struct ScsiAddress {
    std::optional<std::uint64_t> host;
    std::array<std::uint64_t, 3> rest{}; ///< channel, target, LUN
    bool operator==(const ScsiAddress&) const = default;
    /// Equal in what both know.
    [[nodiscard]] bool fits(const ScsiAddress& other) const {
        return rest == other.rest && (!host || !other.host || *host == *other.host);
    }
};
std::optional<ScsiAddress> parse_hctl(std::string_view text);

} // namespace quiesced
