// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

/// What a loop device stands on, as the kernel holds it.
struct LoopStatus {
    DeviceNumber file_system;           ///< st_dev of the backing file; of /dev itself for a device node
    std::optional<DeviceNumber> device; ///< the block device, when one backs the loop device instead of a file
};

/// Asks for a loop device: its kernel name ("loop3") and the backing file's path, which is for deciding only.
using LoopProbe = std::function<Result<LoopStatus>(const std::string& name, const std::string& backing_path)>;

/// LOOP_GET_STATUS64 on DEV/NAME. Asks the backing file's file system, so that a dead NFS server blocks it.
/// Errors: kernel (no permission, no backing any more).
Result<LoopStatus> read_loop_status(const std::string& dev, const std::string& name);

} // namespace quiesced
