// SPDX-License-Identifier: LGPL-2.1-or-later
#include "write_probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace quiesced {

WriteProbe::WriteProbe(const std::string& folder) {
    const std::string name = folder + "/.quiesced-probe-" + std::to_string(::getpid());
    pid_ = ::fork();
    if (pid_ != 0) {
        ended_ = pid_ < 0;
        return;
    }
    // Nothing but system calls here: the parent may have threads.
    int fd = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    const bool named = fd < 0;
    if (named) fd = ::open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    const bool written = fd >= 0 && ::write(fd, "x", 1) == 1;
    if (named && fd >= 0) ::unlink(name.c_str());
    ::_exit(written ? EXIT_SUCCESS : EXIT_FAILURE);
}

WriteProbe::~WriteProbe() {
    if (!ended()) ::kill(pid_, SIGKILL); // it dies when the kernel lets go of it
}

bool WriteProbe::ended(std::chrono::milliseconds limit) {
    if (ended_) return true;
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd entry{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    ::poll(&entry, 1, static_cast<int>(limit.count()));
    ended_ = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    return ended_;
}

} // namespace quiesced
