// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/loop_status.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include "base/file.h"

namespace quiesced {

Result<LoopStatus> read_loop_status(const std::string& dev, const std::string& name) {
    const auto path = dev + "/" + name;
    const auto device = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    if (!device) return tl::unexpected<Error>(device.error());
    loop_info64 info{};
    if (::ioctl(device->get(), LOOP_GET_STATUS64, &info) != 0)
        return fail_errno("cannot ask " + path + " for its backing file");
    LoopStatus status{.file_system = DeviceNumber::from(info.lo_device), .device = std::nullopt};
    // For a plain file lo_rdevice repeats lo_device (up to 6.1 at least) or is 0; for a block device it is that device.
    if (info.lo_rdevice != 0 && info.lo_rdevice != info.lo_device) status.device = DeviceNumber::from(info.lo_rdevice);
    return status;
}

} // namespace quiesced
