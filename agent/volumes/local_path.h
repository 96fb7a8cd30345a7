// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>

#include "base/result.h"

namespace quiesced {

/// An absolute path without "//", "/./" and a "/" at the end; ".." stays. Text only.
std::string clean_path(const std::string& path);

/// What a path leads to.
struct LocalPath {
    std::string path; ///< without symbolic links and ".."; where `stopped`, the first part that must not be touched
    struct stat status {}; ///< unset where `stopped`
    bool stopped = false;  ///< the path leads to where `forbidden` said no
};

/// Follows an absolute path one part at a time, symbolic links included, and asks `forbidden` before it touches
/// each: so no lookup ever enters a dead server's mount. Errors: kernel with errno (ENOENT, ENOTDIR, ELOOP...).
Result<LocalPath> walk_path(const std::string& path, const std::function<bool(const std::string&)>& forbidden);

} // namespace quiesced
