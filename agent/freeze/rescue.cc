// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/rescue.h"

#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

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
            error = dm.run(i);
        }
        if (error != 0) {
            report.failed.push_back(std::string("cannot bring the armed snapshot of ") + slot.name + " back: " + reason(error));
            continue;
        }
        slot.state = ChainState::unprimed;
        if (any) report.unprimed.emplace_back(slot.name);
    }
}

void thaw_members(const Record& record, const std::vector<UniqueFd>& fds, FreezeKernel& kernel, RescueReport& report) {
    std::mutex mutex;
    std::vector<std::jthread> threads;
    const auto slots = record.members();
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const auto state = slots[i].state.load();
        if (state != MemberState::freezing && state != MemberState::frozen && state != MemberState::thawing) continue;
        if (i >= fds.size() || !fds[i]) {
            report.failed.push_back(std::string("cannot reach ") + slots[i].name + ": it may still be frozen");
            continue;
        }
        // Deepest levels need not come first here: a FITHAW that waits for a lower one goes on when that is done.
        threads.emplace_back([&kernel, &report, &mutex, &slot = slots[i], fd = fds[i].get()] {
            slot.thaw_started = monotonic_ns();
            const int error = kernel.thaw(fd);
            slot.thaw_ended = monotonic_ns();
            // EINVAL: it was not frozen (any more). After any other error it still is, and the next rescue tries again.
            slot.state = error == 0 || error == EINVAL ? MemberState::thawed : MemberState::frozen;
            const std::lock_guard lock(mutex);
            if (error == 0) report.thawed.emplace_back(slot.name);
            else if (error != EINVAL) report.failed.push_back(std::string("cannot thaw ") + slot.name + ": " + reason(error));
        });
    }
}

} // namespace

void resume_suspended(const Record& record, DmKernel& dm, RescueReport& report) {
    const auto steps = record.steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].op != DmStep::Op::suspend || !may_be_done(steps[i])) continue;
        for (std::size_t k = i + 1; k < steps.size(); ++k) {
            if (steps[k].op != DmStep::Op::resume || steps[k].chain != steps[i].chain ||
                std::strcmp(steps[k].uuid, steps[i].uuid) != 0)
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

RescueReport rescue(const Record& record, const std::vector<UniqueFd>& fds, FreezeKernel& kernel, DmKernel& dm, RcuSwitch& rcu) {
    RescueReport report;
    // Before the thaw: FITHAW writes the superblock, which waits on a suspended device below.
    resume_suspended(record, dm, report);
    thaw_members(record, fds, kernel, report);
    auto& header = record.header();
    if (header.window_started.load() != 0 && header.window_ended.load() == 0) header.window_ended = monotonic_ns();
    if (const auto saved = header.saved_rcu.load(); saved >= 0) {
        if (const int error = rcu.restore(saved); error != 0)
            report.failed.push_back("cannot put /sys/kernel/rcu_expedited back to " + std::to_string(saved) + ": " + reason(error));
        else
            header.saved_rcu = -1;
    }
    unprime(record, dm, report);
    return report;
}

} // namespace quiesced
