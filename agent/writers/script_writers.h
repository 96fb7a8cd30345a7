// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config.h"
#include "writers/writer.h"

namespace quiesced {

struct ScriptSettings {
    std::string directory = QUIESCED_SYSCONFDIR "/hooks.d"; ///< an absolute path; need not exist
    std::chrono::milliseconds limit{60000};                 ///< of each script, for its freeze and again for its thaw
};

/// The executables of a hooks directory as writers: frozen one after another in the order of their names, thawed in
/// reverse. The directory is read at freeze(); see read_hook_directory() for what runs, ScriptWriter for how.
class ScriptWriters final : public Writers {
public:
    explicit ScriptWriters(ScriptSettings settings = {}) : settings_(std::move(settings)) {}
    ~ScriptWriters() override;
    ScriptWriters(const ScriptWriters&) = delete;
    ScriptWriters& operator=(const ScriptWriters&) = delete;

    [[nodiscard]] Result<WriterList> list() const override;
    /// Errors also: access_denied, io and invalid_argument of read_hook_directory() and ScriptWriter::freeze().
    Result<std::size_t> freeze(const WriterContext& context) override;
    std::vector<std::string> thaw(const WriterContext& context) override;
    void cancel() override { cancelled_ = true; }
    [[nodiscard]] std::vector<std::string> notes() const override { return notes_; }

private:
    Result<void> freeze_one(std::unique_ptr<Writer> writer, const WriterContext& context);

    ScriptSettings settings_;
    std::vector<std::unique_ptr<Writer>> begun_; ///< in the order of their freezes; those that failed too
    WriterContext context_;                      ///< of the last freeze(), for the destructor
    std::vector<std::string> notes_;
    std::atomic<bool> cancelled_ = false;
};

/// The writers for one new set.
std::unique_ptr<Writers> make_script_writers(ScriptSettings settings = {});

} // namespace quiesced
