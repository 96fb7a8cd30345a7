// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>

#include "base/child.h"
#include "writers/hook_directory.h"
#include "writers/writer.h"

namespace quiesced {

/// A writer that is an executable, run with the one argument `freeze` and later `thaw`. It is also `thaw` after an
/// abort: the scripts that exist know these two words, and one that ignored a third would keep its locks.
///
/// It is told, in the environment: QUIESCED_SET, QUIESCED_VOLUMES (one a line; not set when longer than 96 KiB, the
/// kernel takes no more than 128 KiB a variable), QUIESCED_ABORTED (0 or 1), PATH and LC_ALL=C, and nothing else; and on
/// standard input, as JSON: {"version":1,"command":"freeze","set":"...","volumes":["..."],"aborted":false}. Bytes that
/// are no UTF-8 become U+FFFD there. Standard output is dropped; the last line of standard error explains a failure.
///
/// Exit status 0 is success. When the script exits, what is left of its process group is killed: a helper that has to
/// hold a lock until the thaw needs a session of its own (setsid).
class ScriptWriter final : public Writer {
public:
    explicit ScriptWriter(Hook hook) : hook_(std::move(hook)) {}

    [[nodiscard]] const std::string& name() const override { return hook_.name; }
    /// Errors: deadline (killed), access_denied (could be changed by others), io (cannot be run, or exit status).
    Result<void> freeze(const WriterContext& context, Monotonic::time_point deadline) override;
    Result<void> thaw(const WriterContext& context, Monotonic::time_point deadline) override;

private:
    Result<ChildOutcome> run(const char* command, const WriterContext& context, Monotonic::time_point deadline);

    Hook hook_;
    bool started_ = false; ///< its freeze began, so that its thaw has to run
};

} // namespace quiesced
