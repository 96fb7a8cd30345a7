// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_events.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/file.h"
#include "base/unique_fd.h"

namespace quiesced {
namespace {

class KernelDmEvents : public DmEvents {
public:
    KernelDmEvents(UniqueFd control, UniqueFd waker) : control_(std::move(control)), waker_(std::move(waker)) {}

    void arm() override {
        if (!control_) return;
        dm_ioctl request{};
        // The oldest interface that has it.
        request.version[0] = 4;
        request.version[1] = 37;
        request.data_size = sizeof request;
        armed_ = ::ioctl(control_.get(), DM_DEV_ARM_POLL, &request) == 0;
    }

    void wait(std::optional<std::chrono::milliseconds> longest) override {
        std::array<pollfd, 2> fds{{{.fd = waker_.get(), .events = POLLIN, .revents = 0}, {.fd = armed_ ? control_.get() : -1, .events = POLLIN, .revents = 0}}};
        const auto milliseconds = longest ? static_cast<int>(std::clamp<std::int64_t>(longest->count(), 0, std::numeric_limits<int>::max())) : -1;
        ::poll(fds.data(), fds.size(), milliseconds);
        std::uint64_t count = 0;
        static_cast<void>(!::read(waker_.get(), &count, sizeof count));
    }

    void wake() override {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(waker_.get(), &one, sizeof one));
    }

private:
    UniqueFd control_;
    UniqueFd waker_;
    bool armed_ = false;
};

} // namespace

Result<std::unique_ptr<DmEvents>> make_dm_events() {
    UniqueFd waker(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!waker) return fail_errno("cannot make an eventfd");
    auto control = open_at(AT_FDCWD, "/dev/mapper/control", O_RDWR);
    return std::make_unique<KernelDmEvents>(control ? std::move(*control) : UniqueFd(), std::move(waker));
}

} // namespace quiesced
