// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// Both ends O_CLOEXEC.
struct Pipe {
    UniqueFd read_end;
    UniqueFd write_end;
};

/// A pipe whose ends are above 2, so that dup2() in the child cannot overwrite one with another: a daemon may have
/// been started with its standard descriptors closed. Errors: kernel.
Result<Pipe> make_pipe();

/// Starts `program` (a path) in a process group of its own, which has the child's pid, with clean signal mask and
/// dispositions and only the descriptors 0 to 2. `argv` is not empty; `environment` is all that it gets. The caller keeps the
/// descriptors and reaps the child. Errors: kernel (no resources), io (no such program, or it cannot be run).
Result<pid_t> spawn_group(const std::string& program, const std::vector<std::string>& argv,
                          const std::vector<std::string>& environment, int in, int out, int err);

} // namespace quiesced
