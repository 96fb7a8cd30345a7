// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/loop_probe.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/child.h"
#include "base/file.h"
#include "base/scope_exit.h"
#include "base/unique_fd.h"

namespace quiesced {
namespace {

constexpr off_t kSize = 16L << 20;
constexpr std::chrono::milliseconds kWriteTry{200};

/// One that does not return while the file system is frozen; a child of its own, which is ended by then.
bool writable(const std::string& file) {
    const auto outcome = run_child({"touch", file}, {.input = {}, .environment = {}, .limit = kWriteTry, .output_limit = 4096});
    return outcome && !outcome->timed_out && outcome->exit_status == 0;
}

int errno_of(int result) { return result == 0 ? 0 : errno; }

/// A loop device on the file, which goes by itself when nothing uses it any more.
int attach_loop(int file, UniqueFd& device, std::string& path) {
    const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    if (!control) return errno;
    // Somebody else may take the free one between these calls.
    for (int attempt = 0; attempt < 16; ++attempt) {
        const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
        if (number < 0) return errno;
        path = "/dev/loop" + std::to_string(number);
        device.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        if (!device) return errno;
        loop_config config{}; // Linux 5.8
        config.fd = static_cast<__u32>(file);
        config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
        if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return 0;
        if (errno != EBUSY) return errno;
    }
    return EBUSY;
}

} // namespace

LoopFacts probe_loop(const std::string& folder) {
    LoopFacts facts;
    const auto stop = [&facts](const char* step, const std::string& error) {
        facts.failed_step = step;
        facts.error = error;
        return facts;
    };
    if (::geteuid() != 0) {
        facts.skipped = "only root may mount";
        return facts;
    }
    sigset_t held, before;
    ::sigemptyset(&held);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&held, number);
    ::pthread_sigmask(SIG_BLOCK, &held, &before);
    const ScopeExit unblock([&] { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); });

    auto scratch = folder + "/quiesced-doctor-XXXXXX";
    if (::mkdtemp(scratch.data()) == nullptr) return stop("make a folder", std::strerror(errno));
    const ScopeExit remove_folder([&] { ::rmdir(scratch.c_str()); });
    const auto image = scratch + "/image";
    const auto mount_point = scratch + "/mount";
    UniqueFd file(::open(image.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return stop("make a file", std::strerror(errno));
    const ScopeExit remove_file([&] { ::unlink(image.c_str()); });
    if (::ftruncate(file.get(), kSize) != 0) return stop("size a file", std::strerror(errno));
    const auto made = run_child({"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image});
    if (!made) return stop("make a file system", made.error().message());
    if (made->exit_status != 0) return stop("make a file system", made->errors);
    UniqueFd device;
    std::string device_path;
    if (const int error = attach_loop(file.get(), device, device_path); error != 0) return stop("make a loop device", std::strerror(error));
    if (::mkdir(mount_point.c_str(), 0700) != 0) return stop("make a folder", std::strerror(errno));
    const ScopeExit remove_mount_point([&] { ::rmdir(mount_point.c_str()); });
    if (::mount(device_path.c_str(), mount_point.c_str(), "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return stop("mount a file system", std::strerror(errno));
    const ScopeExit unmount([&] { ::umount2(mount_point.c_str(), MNT_DETACH); });

    // Whatever is found there: only what was just made may be frozen.
    const UniqueFd top(::open(mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat of_top {}, of_device {};
    struct statfs kind {};
    facts.identity = top && ::fstat(top.get(), &of_top) == 0 && ::fstat(device.get(), &of_device) == 0 && S_ISBLK(of_device.st_mode) && of_top.st_dev == of_device.st_rdev &&
                     ::fstatfs(top.get(), &kind) == 0 && kind.f_type == EXT4_SUPER_MAGIC;
    if (!facts.identity) return facts;
    facts.freeze = errno_of(::ioctl(top.get(), FIFREEZE, 0));
    if (facts.freeze != 0) return facts;
    facts.freeze_again = errno_of(::ioctl(top.get(), FIFREEZE, 0)); // EBUSY, Linux 6.1 and 6.18
    facts.written_while_frozen = writable(mount_point + "/probe");
    facts.thaw = errno_of(::ioctl(top.get(), FITHAW, 0));
    facts.thaw_again = errno_of(::ioctl(top.get(), FITHAW, 0)); // EINVAL: it is not frozen
    return facts;
}

} // namespace quiesced
