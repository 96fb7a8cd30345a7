// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace quiesced {

/// What the name of a file system type alone tells.
struct FileSystemClass {
    bool network = false;       ///< its files are on another machine or on the host: never a member
    bool remote_answer = false; ///< a server or another process answers for it: a path on it may block for ever, so
                                ///< none is ever opened, not even by stat()
};

/// For "nfs4", "fuse.sshfs", "autofs", "ext4" and so on. Unknown names count as local.
FileSystemClass classify_file_system(std::string_view type);

} // namespace quiesced
