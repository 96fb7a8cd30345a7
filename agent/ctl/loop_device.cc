// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace quiesced {

Result<LoopDevice> attach_loop(int file) {
    const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    if (!control) return fail_errno("cannot open /dev/loop-control");
    // Somebody else may take the free one between these calls.
    for (int attempt = 0; attempt < 16; ++attempt) {
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0) return fail_errno("there is no free loop device");
        LoopDevice device{.fd = {}, .path = "/dev/loop" + std::to_string(number)};
        device.fd.reset(::open(device.path.c_str(), O_RDWR | O_CLOEXEC));
        if (!device.fd) return fail_errno("cannot open " + device.path);
        loop_config config{};
        config.fd = static_cast<__u32>(file);
        config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
        if (::ioctl(device.fd.get(), LOOP_CONFIGURE, &config) == 0) return device;
        if (errno != EBUSY) return fail_errno("cannot set up " + device.path);
    }
    return fail_errno("others take each free loop device", EBUSY);
}

} // namespace quiesced
