// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// An executable of a hooks directory.
struct Hook {
    std::string name; ///< in the directory
    std::string path; ///< directory + "/" + name, for messages
};

/// Something in a hooks directory, but for names of is_ignored_hook().
struct HookEntry {
    Hook hook;
    std::string ignored;        ///< why it does not run although it looks as if somebody meant it to; empty: it runs
    std::optional<Error> error; ///< why it may not run
};

struct HookDirectory {
    std::vector<Hook> hooks;        ///< by name, in byte order
    std::vector<std::string> notes; ///< files left out that look as if somebody meant them to run, and why
};

/// True for names that editors and package managers leave behind, and for samples: *~ *.bak *.rpmsave *.dpkg-old ...
bool is_ignored_hook(const std::string& name);

/// The path without symbolic links, if nobody but root and our own user can change what runs under it: the file and
/// every folder above it belong to one of them, and neither group nor others may write (a sticky folder such as /tmp
/// is good enough as a folder above). With an ACL, the mode's group bits are its mask, so that is covered.
/// Errors: access_denied (with the reason), io (there is no such file).
Result<std::string> trusted_path(const std::string& path);

/// What a hooks directory has, by name in byte order, each with what is wrong with it. A directory that is not there is an empty one.
/// Errors: invalid_argument (not an absolute path), io (it cannot be read), access_denied (it could be changed by others).
Result<std::vector<HookEntry>> survey_hook_directory(const std::string& directory);

/// What of it is run. What is not executable, or no regular file (a link to /dev/null), is left out with a note.
/// Errors: those of survey_hook_directory(), and of files in it that could be changed by others, all named. Then none may run: to leave
/// one out could leave a database unquiesced.
Result<HookDirectory> read_hook_directory(const std::string& directory);

} // namespace quiesced
