// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quiesced {

/// One designation descriptor of a SCSI device's VPD page 0x83 (SPC-5, 7.7.6).
struct Designator {
    // Values as on the wire; others may come.
    static constexpr std::uint8_t kVendorSpecific = 0;
    static constexpr std::uint8_t kT10 = 1;
    static constexpr std::uint8_t kEui64 = 2;
    static constexpr std::uint8_t kNaa = 3;
    static constexpr std::uint8_t kScsiName = 8;
    static constexpr std::uint8_t kUuid = 10;
    static constexpr std::uint8_t kLogicalUnit = 0; ///< association; 1 is the target port, 2 the target

    std::uint8_t association = 0;
    std::uint8_t type = 0;
    std::uint8_t code_set = 0; ///< 1 binary, 2 ASCII, 3 UTF-8
    std::vector<std::uint8_t> bytes;

    /// In the form of the kernel's "wwid": "naa.6001405...", "eui....", "t10.VENDOR  TEXT", a SCSI name as it is;
    /// "uuid....". Empty for what identifies nothing (a port, a group, a length that its type cannot have).
    [[nodiscard]] std::string text() const;
};

/// All complete descriptors of the page; none for what is no page 0x83. A tail that is cut off is left out: kernels up to
/// 4.x read 255 bytes at first.
std::vector<Designator> parse_device_identification(std::span<const std::uint8_t> page);

/// The names of the logical unit, best first, as the kernel prefers them: NAA of 16 bytes, EUI of 16 and 12, NAA of 8,
/// EUI of 8, UUID, SCSI name, T10 vendor identification. Each once.
std::vector<std::string> unit_names(const std::vector<Designator>& designators);

/// The unit serial number of VPD page 0x80 without its padding; empty for what is no page 0x80.
std::string parse_unit_serial(std::span<const std::uint8_t> page);

} // namespace quiesced
