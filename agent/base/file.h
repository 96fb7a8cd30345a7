// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// Opens relative to a directory (AT_FDCWD for none), always O_CLOEXEC. Errors: kernel with errno.
Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode = 0);

/// Whole content of a file of /proc, /sys or /etc, at most `limit` bytes (more is an error: limit).
Result<std::string> read_file_at(int directory, const std::string& path, std::size_t limit = 16U << 20U);
Result<std::string> read_file(const std::string& path, std::size_t limit = 16U << 20U);

/// The same without trailing white space, as sysfs attributes are read.
Result<std::string> read_attribute_at(int directory, const std::string& path);

/// Writes all bytes to an existing file (sysfs), in place of its content. Errors: kernel with errno.
Result<void> write_file(const std::string& path, std::string_view content);

/// Replaces a file as a whole: temporary file in the same directory, fsync, rename, fsync of the directory. The mode
/// is exact (no umask). After a power loss there may be a temporary file left: ".<name>.<8 hexadecimal digits>".
/// Errors: kernel with errno; the old content stays.
Result<void> replace_file_at(int directory, const std::string& name, std::string_view content, mode_t mode = 0600);

/// mkdir -p; the umask applies. Errors: kernel with errno.
Result<void> make_directories(const std::string& path, mode_t mode = 0755);

/// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory_at(int directory, const std::string& path);

} // namespace quiesced
