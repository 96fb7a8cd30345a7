// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/loop_probe.h"

#include <fcntl.h>
#include <linux/fs.h>
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
#include "ctl/loop_device.h"

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
    const auto device = attach_loop(file.get());
    if (!device) return stop("make a loop device", std::strerror(device.error().error_number));
    if (::mkdir(mount_point.c_str(), 0700) != 0) return stop("make a folder", std::strerror(errno));
    const ScopeExit remove_mount_point([&] { ::rmdir(mount_point.c_str()); });
    if (::mount(device->path.c_str(), mount_point.c_str(), "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return stop("mount a file system", std::strerror(errno));
    const ScopeExit unmount([&] { ::umount2(mount_point.c_str(), MNT_DETACH); });

    // Whatever is found there: only what was just made may be frozen.
    const UniqueFd top(::open(mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat of_top {}, of_device {};
    struct statfs kind {};
    facts.identity = top && ::fstat(top.get(), &of_top) == 0 && ::fstat(device->fd.get(), &of_device) == 0 && S_ISBLK(of_device.st_mode) && of_top.st_dev == of_device.st_rdev &&
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
