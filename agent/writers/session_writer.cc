// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/session_writer.h"

#include <chrono>
#include <string_view>

#include <nlohmann/json.hpp>

#include "writers/hook_directory.h"
#include "writers/writer_message.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;

/// For a program to end after its answer to thaw, or after an error.
constexpr milliseconds kEndLimit{2000};
constexpr std::size_t kMostRecords = 32;
constexpr std::size_t kLongestRecord = 64UL * 1024;

} // namespace

Result<SessionAnswer> parse_session_answer(std::string_view line) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const auto refuse = [&](const char* what) {
        return fail(kWriterFailed, std::string("its answer ") + what + ": '" + printable_line(line.substr(0, 100)) + "'");
    };
    if (!json.is_object()) return refuse("is no JSON object");
    const auto ok = json.find("ok");
    if (ok == json.end() || !ok->is_boolean()) return refuse("has no \"ok\", true or false");
    SessionAnswer answer{.ok = ok->get<bool>(), .error = {}, .records = {}};
    if (const auto error = json.find("error"); error != json.end() && error->is_string()) answer.error = printable_line(error->get<std::string>());
    const auto records = json.find("records");
    if (records == json.end()) return answer;
    if (!records->is_object() || records->size() > kMostRecords) return refuse("has \"records\" that are no object of at most 32 keys");
    for (const auto& [key, value] : records->items()) {
        if (!value.is_string() || value.get_ref<const std::string&>().size() > kLongestRecord) return refuse("has a record that is no text of at most 64 KiB");
        answer.records[key] = value.get<std::string>();
    }
    return answer;
}

SessionWriter::~SessionWriter() {
    if (child_ && !child_->end(Monotonic::now() + kEndLimit)) outside_.kill(unit_);
}

/// What is left of the program is of no use after an error: it might answer late, and out of step.
Error SessionWriter::end_after(const char* command, Error error) {
    // A while to let its application go: the connection it holds may need that.
    auto ended = child_->end(Monotonic::now() + kEndLimit);
    child_.reset();
    if (!ended) outside_.kill(unit_);
    if (error.kind == ErrorKind::lost && ended) error.context += " (exit status " + std::to_string(*ended) + "; the journal has what it said)";
    if (error.kind == ErrorKind::deadline) error.context = "it did not answer in time" + std::string(ended ? " and was ended" : " and was killed with its process group");
    if (error.kind == ErrorKind::wrong_state) return writer_called_off("the writer session " + name_ + " (" + command_.front() + ")").value();
    error.context = "the writer session " + name_ + " (" + command_.front() + ") failed to " + command + ": " + error.context;
    return error;
}

Result<void> SessionWriter::ask(const char* command, const WriterContext& context, const Limit& limit) {
    auto& channel = child_->channel();
    const auto message = writer_message(command, context, std::chrono::round<milliseconds>(limit.until - Monotonic::now()));
    if (auto sent = channel.write_line(message, limit); !sent)
        return tl::unexpected<Error>(end_after(command, std::move(sent).error()));
    auto line = channel.read_line(limit);
    if (!line) return tl::unexpected<Error>(end_after(command, std::move(line).error()));
    auto answer = parse_session_answer(*line);
    if (!answer) return tl::unexpected<Error>(end_after(command, std::move(answer).error()));
    for (auto& [key, value] : answer->records) records_[key] = std::move(value);
    if (answer->ok) return {};
    return tl::unexpected<Error>(end_after(command, fail(kWriterFailed, answer->error.empty() ? "it gave no reason" : answer->error).value()));
}

Result<void> SessionWriter::prepare(const WriterContext& context, const Limit& limit) {
    auto argv = command_;
    auto path = trusted_path(argv.front());
    if (!path) return pass(path);
    argv.front() = *path;
    const auto environment = writer_environment(context);
    unit_ = outside_unit(context.set, name_, "session");
    auto child = HeldChild::start(outside_.wrap(argv, environment, unit_, milliseconds(0)), environment);
    if (!child) return pass(child);
    child_.emplace(std::move(*child));
    return ask("prepare", context, limit);
}

Result<void> SessionWriter::freeze(const WriterContext& context, const Limit& limit) {
    if (!child_) return fail(ErrorKind::lost, "the writer session " + name_ + " was not prepared");
    begun_ = true;
    return ask("freeze", context, limit);
}

Result<void> SessionWriter::thaw(const WriterContext& context, const Limit& limit) {
    if (!std::exchange(begun_, false) || !child_) return {}; // its freeze failed, and it was ended then
    if (auto thawed = ask("thaw", context, limit); !thawed) return thawed;
    auto ended = child_->end(Monotonic::now() + kEndLimit);
    child_.reset();
    if (!ended) outside_.kill(unit_);
    if (!ended) return fail(ended.error().kind, "the writer session " + name_ + ": after its thaw " + ended.error().context);
    if (*ended != 0) return fail(kWriterFailed, "the writer session " + name_ + " ended after its thaw with exit status " + std::to_string(*ended));
    return {};
}

} // namespace quiesced
