// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/sdk/set_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <thread>

#include "base/file.h"

namespace quiesced {

Result<SetLock> SetLock::take(const std::string& directory, const std::string& set, Monotonic::time_point deadline) {
    if (auto made = make_directories(directory, 0700); !made) return pass(made);
    const auto path = directory + "/" + set + ".lock";
    while (true) {
        auto fd = open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (!fd) return pass(fd);
        if (::flock(fd->get(), LOCK_EX | LOCK_NB) == 0) {
            // Its last owner may have removed the file between our open and our lock; then ours guards nothing.
            struct stat mine {};
            struct stat named {};
            if (::fstat(fd->get(), &mine) == 0 && ::stat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
                mine.st_dev == named.st_dev)
                return SetLock(path, std::move(*fd));
            continue;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno("cannot lock " + path);
        if (Monotonic::now() >= deadline)
            return fail(ErrorKind::busy, "another connection still works on set " + set);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

SetLock::~SetLock() {
    // While it is still locked: whoever waits finds out that the file is gone and makes a new one.
    if (fd_) ::unlink(path_.c_str());
}

} // namespace quiesced
