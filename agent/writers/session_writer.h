// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/held_child.h"
#include "writers/outside.h"
#include "writers/writer.h"

namespace quiesced {

/// What a session's program answered: one line, {"ok":true,"records":{"key":"text"}} or {"ok":false,"error":"why"}.
struct SessionAnswer {
    bool ok = false;
    std::string error;                          ///< where not ok, perhaps empty
    std::map<std::string, std::string> records; ///< perhaps empty
};

/// Unknown keys are ignored. Errors: writer_failed (it is no such answer).
Result<SessionAnswer> parse_session_answer(std::string_view line);

/// A writer that is a program which lives from prepare to thaw, for applications that are held by an open connection. It reads
/// writer_message()s with the commands prepare, freeze and thaw from standard input, and answers each with a line on
/// standard output before its limit is over; its standard error goes to the journal. When its input ends it lets the
/// application go and ends itself, whatever it was doing. A freeze that nobody thaws ends so, too.
class SessionWriter final : public Writer {
public:
    /// `command`: the program's full path, and arguments.
    SessionWriter(std::string name, std::vector<std::string> command, Outside outside = Outside())
        : name_(std::move(name)), command_(std::move(command)), outside_(std::move(outside)) {}
    /// Ends the program, as the end of its input.
    ~SessionWriter() override;
    SessionWriter(const SessionWriter&) = delete;
    SessionWriter& operator=(const SessionWriter&) = delete;

    [[nodiscard]] const std::string& name() const override { return name_; }
    /// Errors of all three: deadline (it was killed), wrong_state (called off), lost (it ended), writer_failed (its words, or no JSON), access_denied, io.
    /// After one, the program is ended.
    Result<void> prepare(const WriterContext& context, const Limit& limit) override;
    Result<void> freeze(const WriterContext& context, const Limit& limit) override;
    Result<void> thaw(const WriterContext& context, const Limit& limit) override;
    [[nodiscard]] std::map<std::string, std::string> records() const override { return records_; }

private:
    Result<void> ask(const char* command, const WriterContext& context, const Limit& limit);
    Error end_after(const char* command, Error error);

    std::string name_;
    std::vector<std::string> command_;
    Outside outside_;
    std::string unit_; ///< that it runs in, if outside
    std::optional<HeldChild> child_;
    std::map<std::string, std::string> records_;
    bool begun_ = false; ///< its freeze was asked for
};

} // namespace quiesced
