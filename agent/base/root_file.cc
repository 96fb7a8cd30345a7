// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/root_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

namespace quiesced {

Result<void> check_root_owned(const struct stat& status, const std::string& path) {
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return fail(ErrorKind::access_denied, path + " does not belong to root", "Run: chown root:root " + path);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(ErrorKind::access_denied, path + " can be written by others than root", "Run: chmod go-w " + path);
    return {};
}

Result<std::string> read_root_file(const std::string& path, std::size_t most) {
    const auto file = open_at(AT_FDCWD, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (!file) return tl::unexpected<Error>(file.error());
    struct stat status {};
    if (::fstat(file->get(), &status) != 0) return fail_errno("cannot look at " + path);
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::io, path + " is no file");
    if (auto checked = check_root_owned(status, path); !checked) return tl::unexpected<Error>(checked.error());
    return read_file("/proc/self/fd/" + std::to_string(file->get()), most);
}

} // namespace quiesced
