// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/change_watch.h"

#include <fcntl.h>
#include <libudev.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/file.h"

namespace quiesced {
namespace {

struct Unref {
    void operator()(udev* library) const { ::udev_unref(library); }
    void operator()(udev_monitor* monitor) const { ::udev_monitor_unref(monitor); }
    void operator()(udev_device* device) const { ::udev_device_unref(device); }
};
using Udev = std::unique_ptr<udev, Unref>;
using Monitor = std::unique_ptr<udev_monitor, Unref>;

Result<Monitor> make_monitor(udev* library, const char* source) {
    Monitor monitor(::udev_monitor_new_from_netlink(library, source));
    if (!monitor) return fail_errno(std::string("cannot listen to events of the ") + source);
    // For udev's events the kernel filters; its own are filtered by the library, after they are received.
    ::udev_monitor_filter_add_match_subsystem_devtype(monitor.get(), "block", nullptr);
    if (const int error = ::udev_monitor_enable_receiving(monitor.get()); error < 0)
        return fail_errno(std::string("cannot listen to events of the ") + source, -error);
    return monitor;
}

/// Takes all events that are there. Whether one was of a block device, or events were lost.
bool drain(udev_monitor* monitor) {
    bool any = false;
    // Other subsystems may send without end, and faster than we read.
    for (int most = 1 << 16; most > 0; --most) {
        pollfd queue{.fd = ::udev_monitor_get_fd(monitor), .events = POLLIN, .revents = 0};
        if (::poll(&queue, 1, 0) <= 0) return any;
        // POLLERR without POLLIN: events were dropped, because the socket's buffer was full.
        if ((queue.revents & ~POLLIN) != 0) any = true;
        errno = 0;
        const std::unique_ptr<udev_device, Unref> device(::udev_monitor_receive_device(monitor));
        if (device || errno == ENOBUFS) any = true;
    }
    return true;
}

/// Whether an entry of a block device ("b8:0") was written or removed, or events were lost. udev renames a finished file to its place.
bool drain_database(int watch) {
    bool any = false;
    alignas(inotify_event) std::array<char, 16384> events{};
    for (;;) {
        const auto length = ::read(watch, events.data(), events.size());
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) return any; // EAGAIN: no more; EBADF: there is no udev here
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(length);) {
            inotify_event event{};
            std::memcpy(&event, events.data() + at, sizeof event);
            const char* name = events.data() + at + sizeof event;
            any = any || (event.mask & IN_Q_OVERFLOW) != 0 || (event.len > 0 && *name == 'b');
            at += sizeof event + event.len;
        }
    }
}

UniqueFd watch_database(const std::string& folder) {
    UniqueFd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (watch && ::inotify_add_watch(watch.get(), folder.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR) < 0) watch.reset();
    return watch;
}

class KernelWatch final : public ChangeWatch {
public:
    KernelWatch(UniqueFd mounts, UniqueFd swaps, UniqueFd database, Udev library, Monitor kernel, Monitor daemon)
        : mounts_(std::move(mounts)), swaps_(std::move(swaps)), database_(std::move(database)), library_(std::move(library)), kernel_(std::move(kernel)),
          daemon_(std::move(daemon)) {}

    bool changed() override {
        // Both files count the changes for each descriptor: POLLPRI until a poll has seen it, without a read.
        std::array<pollfd, 2> tables{pollfd{.fd = mounts_.get(), .events = POLLPRI, .revents = 0},
                                     pollfd{.fd = swaps_.get(), .events = POLLPRI, .revents = 0}};
        const bool failed = ::poll(tables.data(), tables.size(), 0) < 0;
        bool any = failed;
        for (const auto& table : tables) any = any || (table.revents & (POLLPRI | POLLERR | POLLNVAL)) != 0;
        // All of them, so that none is reported twice.
        const bool device = drain(kernel_.get());
        const bool announced = drain(daemon_.get());
        const bool database = drain_database(database_.get());
        return any || device || announced || database;
    }

private:
    UniqueFd mounts_;
    UniqueFd swaps_; ///< none in a kernel without swap: poll() passes over it
    UniqueFd database_; ///< none where there is no udev
    Udev library_;
    Monitor kernel_;
    Monitor daemon_;
};

} // namespace

Result<std::unique_ptr<ChangeWatch>> make_change_watch(const std::string& mountinfo, const std::string& swaps, const std::string& database) {
    auto mounts = open_at(AT_FDCWD, mountinfo, O_RDONLY);
    if (!mounts) return pass(mounts);
    Udev library(::udev_new());
    if (!library) return fail_errno("cannot start libudev");
    auto kernel = make_monitor(library.get(), "kernel");
    if (!kernel) return pass(kernel);
    auto daemon = make_monitor(library.get(), "udev");
    if (!daemon) return pass(daemon);
    return std::make_unique<KernelWatch>(std::move(*mounts), open_at(AT_FDCWD, swaps, O_RDONLY).value_or(UniqueFd()), watch_database(database),
                                         std::move(library), std::move(*kernel), std::move(*daemon));
}

} // namespace quiesced
