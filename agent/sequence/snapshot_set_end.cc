// SPDX-License-Identifier: LGPL-2.1-or-later
// How a set ends before it is complete: abort, loss of the freezer.
#include <utility>

#include "sequence/set_report.h"
#include "sequence/snapshot_set.h"

namespace quiesced {

Result<void> SnapshotSet::abort(Error cause) {
    if (const auto now = state(); now == State::complete)
        return fail(ErrorKind::wrong_state, "set " + id_.text() + " is complete", "Remove it with Delete.");
    else if (now == State::failed)
        return {};
    {
        const std::lock_guard lock(mutex_);
        abort_cause_ = cause;
    }
    if (writers_) writers_->cancel();
    // Thaw at once, whatever step is running: it fails by that and lets go of the step lock.
    if (const auto client = freezer()) static_cast<void>(client->thaw());
    const std::lock_guard lock(step_mutex_);
    if (is_final(state())) {
        if (state() == State::failed) return {};
        return fail(ErrorKind::wrong_state, "set " + id_.text() + " was completed before it could be aborted", "Remove it with Delete.");
    }
    return unwind(cause);
}

/// Thaws first, then undoes in reverse. Under step_mutex_.
Result<void> SnapshotSet::unwind(const Error& cause) {
    set_state(State::aborting);
    std::vector<std::string> failed;
    {
        std::shared_ptr<FreezerClient> client = freezer();
        if (client) {
            if (auto thawed = client->thaw(); !thawed) failed.push_back("thawing: " + thawed.error().message());
            flush_journal();
            const std::lock_guard lock(mutex_);
            note_commits();
            report_window(manifest_, client->record(), timeline_);
            manifest_.stuck = client->stuck();
            freezer_.reset();
        }
        if (client) let_go(std::move(client));
    }
    window_pass_.reset();
    announce_held();
    tell_notes();
    for (auto& step : undo_.unwind()) failed.push_back(std::move(step));
    // Kept when something could not be undone: the next start tries again.
    if (failed.empty())
        if (auto forgotten = environment_.store->remove(id_); !forgotten) failed.push_back(forgotten.error().message());
    {
        const std::lock_guard lock(mutex_);
        Error shown = cause;
        shown.undone = failed;
        manifest_.error = shown.message();
        if (writers_) note_writers(manifest_, writers_->report());
    }
    set_state(State::failed);
    if (failed.empty()) return {};
    return tl::unexpected<Error>(Error{.kind = ErrorKind::internal, .error_number = 0, .context = "the set could not be undone completely", .advice = {}, .undone = failed});
}

void SnapshotSet::on_loss(const WindowLoss& loss) {
    // From a thread of the freezer's client, which the abort destroys: hand over.
    urgent_.post([this, loss] {
        const auto now = state();
        if (is_final(now) || now == State::thawed || now == State::thawing) return;
        if (now == State::snapshotted) {
            // All was cut before: the set may still be good. Thaw finds out by the times and goes on from there.
            post(Step::thaw, [](const Result<void>&) {});
            return;
        }
        Error cause{.kind = loss.kind, .error_number = 0, .context = {}, .advice = {}, .undone = loss.report.failed};
        if (loss.kind == ErrorKind::deadline) {
            cause.context = "the deadline of " + std::to_string(options_.deadline.count()) + " ms passed and everything was thawed";
            cause.advice = "Ask for a longer deadline, or call KeepAlive in time.";
            const auto client = freezer();
            std::string stuck;
            for (const auto& name : client ? client->stuck() : std::vector<std::string>{}) stuck += (stuck.empty() ? "" : ", ") + name;
            if (!stuck.empty()) {
                cause.context += " but " + stuck + ", of which the kernel has not finished the freeze or the thaw";
                cause.advice = "A disk below it does not answer: see dmesg and dmsetup info. When it does, it is thawed by itself.";
            }
        } else if (loss.killed) {
            cause.context = "the freezer did not answer in time and was killed; what it held was thawed and resumed";
            cause.advice = "Something stops or starves it: SIGSTOP, a frozen control group, a machine without a processor to spare.";
        } else {
            cause.context = "the freezer process died; what it held was thawed and resumed";
            cause.advice = "See the journal for its end.";
        }
        static_cast<void>(abort(std::move(cause)));
    });
}

} // namespace quiesced
