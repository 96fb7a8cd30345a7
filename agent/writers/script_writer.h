// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/child.h"
#include "writers/outside.h"
#include "writers/writer.h"

namespace quiesced {

/// A writer that is an executable, run with the one argument `freeze` and later `thaw`. It is also `thaw` after an
/// abort: the scripts that exist know these two words, and one that ignored a third would keep its locks.
///
/// It is told of the set as writer_environment() and, on standard input, writer_message() say. Standard output is dropped;
/// the last line of standard error explains a failure. A freeze that is called off is killed with its process group, and gets its thaw.
///
/// Exit status 0 is success. When the script exits, what is left of its process group is killed: a helper that has to
/// hold a lock until the thaw needs a session of its own (setsid).
class ScriptWriter final : public Writer {
public:
    /// `command`: the program's full path, and arguments that come before ours.
    /// `frozen`: it is, by a daemon that was lost; only the thaw is left to do.
    ScriptWriter(std::string name, std::vector<std::string> command, bool frozen = false, Outside outside = Outside())
        : name_(std::move(name)), command_(std::move(command)), outside_(std::move(outside)), started_(frozen) {}

    [[nodiscard]] const std::string& name() const override { return name_; }
    /// Errors: deadline (killed), wrong_state (called off, and killed), access_denied (could be changed by others), io (cannot be run, or exit status).
    Result<void> freeze(const WriterContext& context, const Limit& limit) override;
    Result<void> thaw(const WriterContext& context, const Limit& limit) override;
    [[nodiscard]] WriterUndo undo() const override;

private:
    Result<ChildOutcome> run(const char* command, const WriterContext& context, const Limit& limit);

    std::string name_;
    std::vector<std::string> command_;
    Outside outside_;
    bool started_; ///< its freeze began, so that its thaw has to run
};

} // namespace quiesced
