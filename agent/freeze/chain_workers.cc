// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/chain_workers.h"

#include <algorithm>
#include <ctime>

namespace quiesced {
namespace {

/// What can fail a resume and pass is a lack of memory. While the origin is suspended its file system cannot be thawed.
constexpr int kResumeTries = 5;
constexpr timespec kResumePause{.tv_sec = 0, .tv_nsec = 10'000'000};

bool must_unprime(ChainState state) { return state == ChainState::primed || state == ChainState::failed; }

} // namespace

ChainWorkers::ChainWorkers(const Record& record, DmKernel& kernel, Wakeup& wakeup)
    : record_(record), kernel_(kernel), wakeup_(wakeup) {
    const auto slots = record.chains();
    for (std::size_t i = 0; i < slots.size(); ++i) {
        auto worker = std::make_unique<Worker>();
        worker->owner = this;
        worker->slot = &slots[i];
        worker->index = i;
        workers_.push_back(std::move(worker));
        group_locks_.push_back(std::make_unique<std::mutex>());
    }
}

ChainWorkers::~ChainWorkers() {
    for (auto& worker : workers_)
        if (worker->thread.started()) post(*worker, Command::quit);
}

Result<void> ChainWorkers::start() {
    for (auto& worker : workers_)
        if (auto started = worker->thread.start(&run, worker.get()); !started) return started;
    return {};
}

void ChainWorkers::hurry() const noexcept {
    for (const auto& worker : workers_) worker->thread.hurry();
}

void* ChainWorkers::run(void* worker) {
    auto& self = *static_cast<Worker*>(worker);
    self.owner->work(self);
    return nullptr;
}

void ChainWorkers::work(Worker& worker) noexcept {
    for (;;) {
        worker.command.wait(Command::none);
        switch (worker.command.exchange(Command::none)) {
        case Command::none:
            continue;
        case Command::prime:
            prime(worker);
            break;
        case Command::fire:
            fire(worker);
            break;
        case Command::unprime:
            unprime(worker);
            break;
        case Command::quit:
            return;
        }
        if (left_.fetch_sub(1) == 1) wakeup_.signal();
    }
}

void ChainWorkers::prime(Worker& worker) noexcept {
    worker.slot->state = ChainState::priming;
    const auto result = run_steps(worker, StepPhase::prime);
    worker.slot->error_number = result.error;
    worker.slot->state = result.error == 0 ? ChainState::primed : ChainState::failed;
}

void ChainWorkers::fire(Worker& worker) noexcept {
    if (worker.slot->state.load() != ChainState::primed) return;
    worker.slot->state = ChainState::firing;
    const auto result = run_steps(worker, StepPhase::fire);
    worker.slot->error_number = result.error;
    worker.slot->state = result.cut ? ChainState::fired : ChainState::failed;
}

void ChainWorkers::unprime(Worker& worker) noexcept {
    const auto result = run_steps(worker, StepPhase::unprime);
    if (result.error != 0) worker.slot->error_number = result.error;
    else worker.slot->state = ChainState::unprimed;
}

ChainWorkers::Run ChainWorkers::run_steps(Worker& worker, StepPhase phase) noexcept {
    const auto steps = record_.steps();
    const auto mine = [&](std::size_t i) { return steps[i].chain == worker.index && steps[i].phase == phase; };
    const auto suspended_here = [&](std::size_t resume) {
        for (std::size_t i = 0; i < resume; ++i)
            if (mine(i) && steps[i].op == DmStep::Op::suspend && steps[i].state.load() == StepState::done &&
                same_device(steps[i], steps[resume]))
                return true;
        return false;
    };
    Run result;
    std::size_t last = steps.size();
    for (std::size_t i = 0; i < steps.size(); ++i)
        if (mine(i)) last = i;
    result.cut = true;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (!mine(i)) continue;
        const bool must_resume = steps[i].op == DmStep::Op::resume && suspended_here(i);
        if (result.error != 0 && !must_resume) {
            steps[i].state = StepState::skipped;
            result.cut = result.cut && i == last;
            continue;
        }
        int error = outcome_of(phase, run_step(i, worker.slot->group));
        // Nothing may stay suspended: a resume is tried again here, and after that by whoever finds the record.
        for (int tries = 1; error != 0 && must_resume && tries < kResumeTries; ++tries) {
            ::nanosleep(&kResumePause, nullptr);
            error = run_step(i, worker.slot->group);
        }
        if (error == 0) continue;
        if (result.error == 0) result.error = error;
        result.cut = result.cut && i == last && must_resume;
    }
    return result;
}

int ChainWorkers::run_step(std::size_t index, std::uint32_t group) noexcept {
    auto& step = record_.steps()[index];
    std::unique_lock<std::mutex> lock;
    // A pool serves its messages one after another anyway; waiting here keeps their order and their times honest.
    if (step.op == DmStep::Op::message) lock = std::unique_lock(*group_locks_[group]);
    step.state = StepState::running;
    step.started = monotonic_ns();
    const int error = kernel_.run(index);
    step.ended = monotonic_ns();
    step.error_number = error;
    step.state = error == 0 ? StepState::done : StepState::failed;
    return error;
}

void ChainWorkers::post(Worker& worker, Command command) noexcept {
    worker.command = command;
    worker.command.notify_one();
}

void ChainWorkers::post_prime() noexcept {
    left_ = static_cast<std::uint32_t>(workers_.size());
    for (auto& worker : workers_) post(*worker, Command::prime);
}

void ChainWorkers::post_fire() noexcept {
    left_ = static_cast<std::uint32_t>(workers_.size());
    for (auto& worker : workers_) post(*worker, Command::fire);
}

std::uint32_t ChainWorkers::post_unprime() noexcept {
    std::uint32_t count = 0;
    for (auto& worker : workers_) count += must_unprime(worker->slot->state.load()) ? 1 : 0;
    left_ = count;
    for (auto& worker : workers_)
        if (must_unprime(worker->slot->state.load())) post(*worker, Command::unprime);
    return count;
}

bool ChainWorkers::all(ChainState state) const noexcept {
    return std::all_of(workers_.begin(), workers_.end(),
                       [state](const auto& worker) { return worker->slot->state.load() == state; });
}

bool ChainWorkers::needs_unprime() const noexcept {
    return std::any_of(workers_.begin(), workers_.end(),
                       [](const auto& worker) { return must_unprime(worker->slot->state.load()); });
}

bool ChainWorkers::left_suspended() const noexcept {
    const auto steps = record_.steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].op != DmStep::Op::suspend || steps[i].state.load() != StepState::done) continue;
        for (std::size_t k = i + 1; k < steps.size(); ++k)
            if (steps[k].op == DmStep::Op::resume && steps[k].chain == steps[i].chain &&
                same_device(steps[k], steps[i])) {
                if (steps[k].state.load() != StepState::done) return true;
                break;
            }
    }
    return false;
}

} // namespace quiesced
