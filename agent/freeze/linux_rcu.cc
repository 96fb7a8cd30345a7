// SPDX-License-Identifier: LGPL-2.1-or-later
// The RCU switch of linux_kernel.h.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/file.h"
#include "freeze/linux_kernel.h"

namespace quiesced {

Result<void> LinuxRcuSwitch::prepare() {
    auto expedited = open_at(AT_FDCWD, directory_ + "/rcu_expedited", O_RDWR);
    // A kernel built with CONFIG_TINY_RCU has no such switch; the window is then as long as it is.
    if (!expedited && expedited.error().error_number == ENOENT) return {};
    if (!expedited) return pass(expedited);
    auto normal = open_at(AT_FDCWD, directory_ + "/rcu_normal", O_RDONLY);
    if (!normal) return pass(normal);
    expedited_ = std::move(*expedited);
    normal_ = std::move(*normal);
    return {};
}

namespace {

/// A sysfs integer, by an fd that was opened before; -1 when it cannot be read.
std::int32_t read_number(int fd) noexcept {
    std::array<char, 16> text{};
    if (::pread(fd, text.data(), text.size() - 1, 0) <= 0) return -1;
    return static_cast<std::int32_t>(std::strtol(text.data(), nullptr, 10));
}

int write_number(int fd, std::int32_t value) noexcept {
    std::array<char, 16> text{};
    const int length = std::snprintf(text.data(), text.size(), "%d\n", value);
    return ::pwrite(fd, text.data(), static_cast<std::size_t>(length), 0) == length ? 0 : errno;
}

/// Bytes of the switch's file, as names of locks: one that is held for a look and a write, one that every window shares while
/// it wants RCU expedited. They belong to the open file (OFD, Linux 3.15), so the kernel drops them with the freezer.
constexpr off_t kMutex = 0;
constexpr off_t kWindows = 1;

int lock_call(int fd, int command, off_t byte, short type, short* found = nullptr) noexcept {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    const int result = ::fcntl(fd, command, &lock);
    if (found != nullptr) *found = lock.l_type;
    return result == 0 ? 0 : errno;
}

/// Held for microseconds by whoever is not stopped in between; therefore with a limit, and without being waited for in the kernel.
class Mutex {
public:
    explicit Mutex(int fd) noexcept : fd_(fd) {
        constexpr timespec pause{.tv_sec = 0, .tv_nsec = 200'000};
        for (int tries = 0; tries < 50 && !held_; ++tries) {
            if (tries > 0) ::nanosleep(&pause, nullptr);
            held_ = lock_call(fd_, F_OFD_SETLK, kMutex, F_WRLCK) == 0;
        }
    }
    ~Mutex() {
        if (held_) lock_call(fd_, F_OFD_SETLK, kMutex, F_UNLCK);
    }
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;
    [[nodiscard]] bool held() const noexcept { return held_; }

private:
    int fd_;
    bool held_ = false;
};

/// Another window has it expedited now.
bool others(int fd) noexcept {
    short found = F_UNLCK;
    return lock_call(fd, F_OFD_GETLK, kWindows, F_WRLCK, &found) == 0 && found != F_UNLCK;
}

} // namespace

std::int32_t LinuxRcuSwitch::expedite() noexcept {
    if (!expedited_ || read_number(normal_.get()) != 0) return -1;
    const Mutex mutex(expedited_.get());
    if (!mutex.held()) return -1;
    const auto now = read_number(expedited_.get());
    const bool shared = others(expedited_.get());
    // Not 0, and by no window: somebody wants it like that for good.
    if (now < 0 || (now != 0 && !shared)) return -1;
    if (lock_call(expedited_.get(), F_OFD_SETLK, kWindows, F_RDLCK) != 0) return -1;
    if (now != 0 || write_number(expedited_.get(), 1) == 0) return 0; // the only value that is ever changed
    lock_call(expedited_.get(), F_OFD_SETLK, kWindows, F_UNLCK);
    return -1;
}

int LinuxRcuSwitch::restore(std::int32_t value) noexcept {
    if (value < 0) return 0;
    if (!expedited_) return ENODEV;
    const Mutex mutex(expedited_.get());
    lock_call(expedited_.get(), F_OFD_SETLK, kWindows, F_UNLCK);
    // Without the mutex nothing is sure but that a switch left on is worse than a slow window.
    if (mutex.held() && others(expedited_.get())) return 0;
    return write_number(expedited_.get(), value);
}

int LinuxRcuSwitch::force(std::int32_t value) noexcept {
    if (value < 0) return 0;
    if (!expedited_) return ENODEV;
    // A killed freezer of which a thread waits in the kernel still holds its locks: they are not asked.
    lock_call(expedited_.get(), F_OFD_SETLK, kWindows, F_UNLCK);
    return write_number(expedited_.get(), value);
}

} // namespace quiesced
