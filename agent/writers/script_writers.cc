// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/script_writers.h"

#include "writers/hook_directory.h"
#include "writers/script_writer.h"

namespace quiesced {
namespace {

tl::unexpected<Error> cancelled() { return fail(ErrorKind::wrong_state, "the freeze of the writers was cancelled"); }

} // namespace

ScriptWriters::~ScriptWriters() {
    context_.aborted = true;
    // Nobody is left to tell of a failure; the scripts must have run all the same.
    (void)ScriptWriters::thaw(context_);
}

Result<void> ScriptWriters::freeze_one(std::unique_ptr<Writer> writer, const WriterContext& context) {
    // Noted before it starts: whatever happens to it, it gets its thaw.
    begun_.push_back(std::move(writer));
    auto frozen = begun_.back()->freeze(context, Monotonic::now() + settings_.limit);
    if (frozen && cancelled_) return cancelled();
    return frozen;
}

Result<WriterList> ScriptWriters::list() const {
    auto found = read_hook_directory(settings_.directory);
    if (!found) return pass(found);
    WriterList list{.writers = {}, .left_out = std::move(found->notes)};
    for (auto& hook : found->hooks) list.writers.push_back({.name = std::move(hook.name), .kind = "script", .path = std::move(hook.path)});
    return list;
}

Result<std::size_t> ScriptWriters::freeze(const WriterContext& context) {
    if (!begun_.empty()) return fail(ErrorKind::wrong_state, "the writers are frozen already");
    if (cancelled_) return cancelled();
    notes_.clear();
    auto found = read_hook_directory(settings_.directory);
    if (!found) return pass(found);
    notes_ = std::move(found->notes);
    context_ = context;
    for (auto& hook : found->hooks) {
        auto frozen = freeze_one(std::make_unique<ScriptWriter>(std::move(hook)), context);
        if (frozen) continue;
        auto error = std::move(frozen).error();
        context_.aborted = true;
        error.undone = thaw(context_);
        return tl::unexpected<Error>(std::move(error));
    }
    return begun_.size();
}

std::vector<std::string> ScriptWriters::thaw(const WriterContext& context) {
    std::vector<std::string> failed;
    while (!begun_.empty()) {
        const auto writer = std::move(begun_.back());
        begun_.pop_back();
        if (auto thawed = writer->thaw(context, Monotonic::now() + settings_.limit); !thawed)
            failed.push_back(thawed.error().message());
    }
    return failed;
}

std::unique_ptr<Writers> make_script_writers(ScriptSettings settings) {
    return std::make_unique<ScriptWriters>(std::move(settings));
}

} // namespace quiesced
