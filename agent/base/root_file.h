// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>

#include "base/result.h"

namespace quiesced {

/// Whoever may write a file that names what root runs is root as far as anybody can tell: it must belong to root, or to the user that
/// this process runs as, and neither its group nor others may write it. `path` is for the message.
/// Errors: access_denied.
Result<void> check_root_owned(const struct stat& status, const std::string& path);

/// The text of a regular file that passes check_root_owned(); read by the descriptor that was checked, whatever the path leads to
/// meanwhile. `most` in bytes. Errors: io (with ENOENT when there is none; no regular file; too long), access_denied.
Result<std::string> read_root_file(const std::string& path, std::size_t most = std::size_t{1} << 20U);

} // namespace quiesced
