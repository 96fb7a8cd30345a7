// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/sysmacros.h>
#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quiesced {

/// Name of a snapshot set: 8 lower-case hexadecimal digits of a timestamp in seconds, 3 of its 4096ths and 5 of chance, so that sets sort by
/// age. Usable as a D-Bus path element, an LVM tag and a part of an LV name.
class SetId {
public:
    /// A new id from the wall clock and getrandom(2).
    static Result<SetId> generate();
    /// Accepts exactly 16 lower-case hexadecimal digits.
    static Result<SetId> parse(std::string_view text);

    [[nodiscard]] const std::string& text() const { return text_; }
    auto operator<=>(const SetId&) const = default;

private:
    explicit SetId(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

/// A block device's number, as in sysfs and mountinfo ("253:4").
struct DeviceNumber {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;

    static DeviceNumber from(dev_t device) { return {gnu_dev_major(device), gnu_dev_minor(device)}; }
    static Result<DeviceNumber> parse(std::string_view text);
    [[nodiscard]] dev_t device() const { return gnu_dev_makedev(major, minor); }
    [[nodiscard]] std::string text() const { return std::to_string(major) + ":" + std::to_string(minor); }
    auto operator<=>(const DeviceNumber&) const = default;
};

/// A size in bytes.
struct Bytes {
    std::uint64_t count = 0;
    auto operator<=>(const Bytes&) const = default;
    /// "1.5 GiB", for people.
    [[nodiscard]] std::string text() const;
};

inline Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }

/// Unit of the kernel's and device-mapper's sizes, whatever the device's block size.
inline constexpr std::uint64_t kSectorSize = 512;

} // namespace quiesced
