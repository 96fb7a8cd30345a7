// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

/// Bytes written to each block device since the start of the machine.
using WrittenBytes = std::map<DeviceNumber, std::uint64_t>;

/// Parses /proc/diskstats. A line that cannot be understood is left out.
WrittenBytes parse_diskstats(std::string_view text);

/// What was written when.
struct WriteSample {
    Monotonic::time_point taken{};
    WrittenBytes written;
};

/// Errors: kernel.
Result<WriteSample> sample_writes(const std::string& diskstats = "/proc/diskstats");

/// Bytes a second between two samples, for the devices that are in both.
std::map<DeviceNumber, std::uint64_t> write_rates(const WriteSample& first, const WriteSample& second);

} // namespace quiesced
