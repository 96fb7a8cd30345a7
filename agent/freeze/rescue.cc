// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/rescue.h"

#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "freeze/process_identity.h"

namespace quiesced {
namespace {

std::string reason(int error) {
    return std::strerror(error); // NOLINT(concurrency-mt-unsafe): glibc's is thread-local
}

/// A step that the freezer may have carried out: it was killed in or after it.
bool may_be_done(const StepSlot& step) {
    const auto state = step.state.load();
    return state == StepState::done || state == StepState::running;
}

/// All but a last resume of the fire steps were done: the snapshot is that of the window.
bool was_cut(const Record& record, std::size_t chain) {
    const StepSlot* last = nullptr;
    bool all_before = true;
    for (const auto& step : record.steps()) {
        if (step.chain != chain || step.phase != StepPhase::fire) continue;
        if (last != nullptr) all_before = all_before && last->state.load() == StepState::done;
        last = &step;
    }
    return last != nullptr && all_before &&
           (last->op == DmStep::Op::resume || last->state.load() == StepState::done);
}

void unprime(const Record& record, DmKernel& dm, RescueReport& report) {
    const auto steps = record.steps();
    for (std::size_t chain = 0; chain < record.chains().size(); ++chain) {
        auto& slot = record.chains()[chain];
        const auto state = slot.state.load();
        if (state == ChainState::idle || state == ChainState::fired || state == ChainState::unprimed) continue;
        if (state == ChainState::firing && was_cut(record, chain)) {
            slot.state = ChainState::fired;
            continue;
        }
        int error = 0;
        bool any = false;
        for (std::size_t i = 0; i < steps.size() && error == 0; ++i) {
            if (steps[i].chain != chain || steps[i].phase != StepPhase::unprime) continue;
            any = true;
            error = outcome_of(StepPhase::unprime, dm.run(i));
        }
        if (error != 0) {
            report.failed.push_back(std::string("cannot bring the armed snapshot of ") + slot.name + " back: " + reason(error));
            continue;
        }
        slot.state = ChainState::unprimed;
        if (any) report.unprimed.emplace_back(slot.name);
    }
}

/// The FIFREEZE of a killed freezer that the kernel has not finished: a FITHAW would wait for it, and could not be killed either.
bool freeze_goes_on(const RecordHeader& header, const MemberSlot& slot) {
    const ProcessIdentity freezer{.pid = header.freezer_pid.load(), .start = header.freezer_start.load()};
    return slot.state.load() == MemberState::freezing && thread_left(freezer, slot.thread.load());
}

/// What all FITHAWs of one rescue share; a thread that is stuck keeps it.
struct Thaws {
    std::shared_ptr<const Record> record;
    std::shared_ptr<const std::vector<UniqueFd>> fds;
    std::shared_ptr<FreezeKernel> kernel;
    std::shared_ptr<PendingThaws> pending = std::make_shared<PendingThaws>();
    std::mutex mutex;
    std::vector<std::string> thawed;
    std::vector<std::string> failed;
};

void thaw_member(Thaws& thaws, std::size_t index) {
    auto& slot = thaws.record->members()[index];
    // The kernel tells nobody when a thread of another process comes back.
    while (freeze_goes_on(thaws.record->header(), slot)) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    slot.state = MemberState::thawing;
    slot.thaw_started = monotonic_ns();
    const int error = thaws.kernel->thaw((*thaws.fds)[index].get());
    slot.thaw_ended = monotonic_ns();
    // EINVAL: it was not frozen (any more). After any other error it still is, and the next rescue tries again.
    slot.state = error == 0 || error == EINVAL ? MemberState::thawed : MemberState::frozen;
    const std::lock_guard lock(thaws.mutex);
    if (error == 0) thaws.thawed.emplace_back(slot.name);
    else if (error != EINVAL) thaws.failed.push_back(std::string("cannot thaw ") + slot.name + ": " + reason(error));
}

void thaw_members(const std::shared_ptr<Thaws>& thaws, std::chrono::milliseconds patience, RescueReport& report) {
    const auto slots = thaws->record->members();
    // Deepest levels need not come first here: a FITHAW that waits for a lower one goes on when that is done.
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const auto state = slots[i].state.load();
        if (state == MemberState::probing) {
            // Either somebody else holds it, or the freezer that died in this moment: a FITHAW might take a freeze that is not ours.
            report.failed.push_back(std::string(slots[i].name) + " had been frozen by somebody else, and the freezer was lost while it asked "
                                    "whether it still is; if writes to it hang and nobody holds it: fsfreeze -u " + slots[i].mount_path);
            slots[i].state = MemberState::foreign;
            continue;
        }
        if (state != MemberState::freezing && state != MemberState::frozen && state != MemberState::thawing) continue;
        if (i >= thaws->fds->size() || !(*thaws->fds)[i]) {
            report.failed.push_back(std::string("cannot reach ") + slots[i].name + ": it may still be frozen");
            continue;
        }
        thaws->pending->add();
        std::thread([thaws, i] {
            thaw_member(*thaws, i);
            thaws->pending->end();
        }).detach();
    }
    const bool all = thaws->pending->wait(patience);
    const std::lock_guard lock(thaws->mutex);
    report.thawed = thaws->thawed;
    report.failed.insert(report.failed.end(), thaws->failed.begin(), thaws->failed.end());
    report.pending = thaws->pending;
    if (all) return;
    for (const auto& slot : slots) {
        const auto state = slot.state.load();
        if (state != MemberState::freezing && state != MemberState::thawing) continue;
        report.stuck.emplace_back(slot.name);
        report.failed.push_back(std::string(state == MemberState::freezing ? "the kernel has not finished the freeze of "
                                                                           : "the kernel has not finished the thaw of ") +
                                slot.name + "; it is thawed as soon as its disk answers");
    }
}

} // namespace

void resume_suspended(const Record& record, DmKernel& dm, RescueReport& report) {
    const auto steps = record.steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].op != DmStep::Op::suspend || !may_be_done(steps[i])) continue;
        for (std::size_t k = i + 1; k < steps.size(); ++k) {
            if (steps[k].op != DmStep::Op::resume || steps[k].chain != steps[i].chain ||
                !same_device(steps[k], steps[i]))
                continue;
            if (steps[k].state.load() == StepState::done) break;
            const std::string name = record.chains()[steps[k].chain].name;
            if (const int error = dm.run(k); error != 0) {
                report.failed.push_back("cannot resume " + name + ": " + reason(error));
            } else {
                steps[k].state = StepState::done;
                report.resumed.push_back(name);
            }
            break;
        }
    }
}

void PendingThaws::add() {
    const std::lock_guard lock(mutex_);
    ++count_;
}

void PendingThaws::end() {
    const std::lock_guard lock(mutex_);
    --count_;
    ended_.notify_all();
}

bool PendingThaws::wait(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, limit, [this] { return count_ == 0; });
}

void note_read_only(const Record& record, const std::vector<UniqueFd>& fds, FreezeKernel& kernel) noexcept {
    const auto slots = record.members();
    for (std::size_t i = 0; i < slots.size() && i < fds.size(); ++i)
        if (slots[i].thaw_risk.load() == ThawRisk::watched && slots[i].state.load() == MemberState::thawed && fds[i] && kernel.read_only(fds[i].get()))
            slots[i].thaw_risk = ThawRisk::turned_read_only;
}

RescueReport rescue(const std::shared_ptr<const Record>& record, const std::shared_ptr<const std::vector<UniqueFd>>& fds,
                    WindowKernel& kernel, std::chrono::milliseconds patience) {
    RescueReport report;
    // Before the thaw: FITHAW writes the superblock, which waits on a suspended device below.
    resume_suspended(*record, *kernel.dm, report);
    await_own_end(*record);
    auto thaws = std::make_shared<Thaws>();
    thaws->record = record;
    thaws->fds = fds;
    thaws->kernel = kernel.freeze;
    thaw_members(thaws, patience, report);
    auto& header = record->header();
    if (header.window_started.load() != 0 && header.window_ended.load() == 0) header.window_ended = monotonic_ns();
    if (const auto saved = header.saved_rcu.load(); saved >= 0) {
        if (const int error = kernel.rcu->force(saved); error != 0)
            report.failed.push_back("cannot put /sys/kernel/rcu_expedited back to " + std::to_string(saved) + ": " + reason(error));
        else
            header.saved_rcu = -1;
    }
    unprime(*record, *kernel.dm, report);
    note_read_only(*record, *fds, *kernel.freeze);
    return report;
}

} // namespace quiesced
