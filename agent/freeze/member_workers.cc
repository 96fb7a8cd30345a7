// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/member_workers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace quiesced {

MemberWorkers::MemberWorkers(const Record& record, std::vector<UniqueFd> fds, FreezeKernel& kernel, Wakeup& wakeup)
    : record_(record), kernel_(kernel), wakeup_(wakeup) {
    const auto slots = record.members();
    for (std::size_t i = 0; i < slots.size() && i < fds.size(); ++i) {
        auto worker = std::make_unique<Worker>();
        worker->owner = this;
        worker->slot = &slots[i];
        worker->fd = std::move(fds[i]);
        const int fd = worker->fd.get();
        if (kernel_.killed_thaw_breaks(fd) && !kernel_.read_only(fd)) slots[i].thaw_risk = ThawRisk::watched;
        lowest_level_ = std::max(lowest_level_, slots[i].level);
        workers_.push_back(std::move(worker));
    }
}

MemberWorkers::~MemberWorkers() {
    for (auto& worker : workers_)
        if (worker->thread.started()) post(*worker, Command::quit);
}

Result<void> MemberWorkers::start() {
    for (auto& worker : workers_)
        if (auto started = worker->thread.start(&run, worker.get()); !started) return started;
    return {};
}

void MemberWorkers::hurry() const noexcept {
    for (const auto& worker : workers_) worker->thread.hurry();
}

void* MemberWorkers::run(void* worker) {
    auto& self = *static_cast<Worker*>(worker);
    self.owner->work(self);
    return nullptr;
}

void MemberWorkers::work(Worker& worker) noexcept {
    worker.slot->thread = static_cast<std::int32_t>(::gettid());
    for (;;) {
        worker.command.wait(Command::none);
        switch (worker.command.exchange(Command::none)) {
        case Command::none:
            break;
        case Command::flush:
            flush(worker);
            flush_done_.fetch_add(1);
            wakeup_.signal();
            break;
        case Command::freeze:
            freeze(worker);
            done(freeze_left_);
            break;
        case Command::thaw:
            thaw(worker);
            done(thaw_left_);
            break;
        case Command::probe:
            probe(worker);
            done(thaw_left_);
            break;
        case Command::quit:
            return;
        }
    }
}

void MemberWorkers::flush(Worker& worker) noexcept {
    const auto start = monotonic_ns();
    worker.slot->error_number = kernel_.sync(worker.fd.get());
    const auto length = monotonic_ns() - start;
    worker.slot->flush_ns = length;
    worker.slot->flush_total_ns += length;
}

void MemberWorkers::freeze(Worker& worker) noexcept {
    auto& slot = *worker.slot;
    // A path that is no longer that mount would freeze the file system below it: the fd itself is asked, right before.
    MountIdentity identity;
    int error = kernel_.identify(worker.fd.get(), identity);
    const DeviceNumber planned{slot.superblock_major, slot.superblock_minor};
    if (error == 0 && (identity.superblock != planned || identity.mount_id != slot.mount_id)) error = ESTALE;
    if (error != 0) {
        slot.error_number = error;
        slot.state = MemberState::refused;
        return;
    }
    slot.freeze_started = monotonic_ns();
    slot.state = MemberState::freezing;
    if (slot.thaw_wanted.load() != 0) {
        slot.state = MemberState::idle;
        return;
    }
    error = kernel_.freeze(worker.fd.get());
    slot.freeze_ended = monotonic_ns();
    slot.error_number = error;
    if (error != 0) {
        if (error == EBUSY) slot.foreign = 1;
        slot.state = error == EBUSY ? MemberState::foreign : MemberState::failed;
        return;
    }
    slot.state = MemberState::frozen;
    if (slot.thaw_wanted.load() != 0) thaw(worker);
}

void MemberWorkers::thaw(Worker& worker) noexcept {
    auto& slot = *worker.slot;
    auto expected = MemberState::frozen;
    if (!slot.state.compare_exchange_strong(expected, MemberState::thawing)) return;
    slot.thaw_started = monotonic_ns();
    const int error = kernel_.thaw(worker.fd.get());
    if (error != 0) slot.error_number = error;
    slot.thaw_ended = monotonic_ns();
    // EINVAL: somebody else has thawed it. It is not frozen, which is what was wanted; the error stays in the record.
    // After any other error the kernel has left it frozen (thaw_super), and whoever finds the record tries again.
    slot.state = error == 0 || error == EINVAL ? MemberState::thawed : MemberState::frozen;
}

void MemberWorkers::probe(Worker& worker) noexcept {
    auto& slot = *worker.slot;
    auto expected = MemberState::foreign;
    // Told apart from `freezing` in the record: a rescuer must not take the freeze of somebody else away.
    if (!slot.state.compare_exchange_strong(expected, MemberState::probing)) return;
    const auto asked = monotonic_ns();
    const int error = kernel_.freeze(worker.fd.get());
    if (error == 0) {
        slot.state = MemberState::frozen;
        thaw(worker);
        return;
    }
    if (error == EBUSY) slot.foreign_until = asked;
    else slot.error_number = error;
    slot.state = MemberState::foreign;
}

bool MemberWorkers::counts_as_frozen(const Worker& worker) const noexcept {
    const auto state = worker.slot->state.load();
    return state == MemberState::frozen || (state == MemberState::foreign && record_.header().accept_foreign != 0);
}

void MemberWorkers::post(Worker& worker, Command command) noexcept {
    worker.command = command;
    worker.command.notify_one();
}

void MemberWorkers::done(std::atomic<std::uint32_t>& left) noexcept {
    if (left.fetch_sub(1) == 1) wakeup_.signal();
}

void MemberWorkers::begin_flush() noexcept {
    flush_posted_ = 0;
    flush_done_ = 0;
}

bool MemberWorkers::post_flush(std::uint32_t width) noexcept {
    for (; flush_posted_ < workers_.size(); ++flush_posted_) {
        if (flush_posted_ - flush_done_.load() >= width) return true;
        post(*workers_[flush_posted_], Command::flush);
    }
    return false;
}

std::uint32_t MemberWorkers::post_freeze(std::int32_t level) noexcept {
    const auto on_level = [level](const auto& worker) { return worker->slot->level == level; };
    const auto count = static_cast<std::uint32_t>(std::count_if(workers_.begin(), workers_.end(), on_level));
    freeze_left_ = count;
    for (auto& worker : workers_)
        if (on_level(worker)) post(*worker, Command::freeze);
    return count;
}

void MemberWorkers::want_thaw(bool probe) noexcept {
    probe_ = probe;
    for (auto& worker : workers_) worker->slot->thaw_wanted = 1;
}

std::uint32_t MemberWorkers::post_thaw(std::int32_t level) noexcept {
    std::uint32_t count = 0;
    for (auto& worker : workers_) {
        const auto state = worker->slot->state.load();
        worker->thaw_command = worker->slot->level != level                    ? Command::none
                               : state == MemberState::frozen                  ? Command::thaw
                               : state == MemberState::foreign && probe_       ? Command::probe
                                                                               : Command::none;
        count += worker->thaw_command != Command::none ? 1 : 0;
    }
    // Counted before the first post: a thread may be done before the next is posted.
    thaw_left_ += count;
    for (auto& worker : workers_)
        if (worker->thaw_command != Command::none) post(*worker, worker->thaw_command);
    return count;
}

void MemberWorkers::release() noexcept {
    // Not while a syncfs may still be about to use one.
    if (flushing()) return;
    for (auto& worker : workers_) {
        const auto state = worker->slot->state.load();
        if (state == MemberState::thawed || state == MemberState::idle || state == MemberState::refused || state == MemberState::failed ||
            state == MemberState::foreign)
            worker->fd.reset();
    }
}

std::uint32_t MemberWorkers::in_flight() const noexcept {
    return static_cast<std::uint32_t>(std::count_if(workers_.begin(), workers_.end(), [](const auto& worker) {
        const auto state = worker->slot->state.load();
        // Frozen and to be thawed: its thread is between the two calls.
        return state == MemberState::freezing || state == MemberState::thawing || state == MemberState::probing ||
               (state == MemberState::frozen && worker->slot->thaw_wanted.load() != 0 && worker->slot->thaw_ended.load() == 0);
    }));
}

bool MemberWorkers::left_frozen() const noexcept {
    return std::any_of(workers_.begin(), workers_.end(), [](const auto& worker) {
        return worker->slot->state.load() == MemberState::frozen && worker->slot->thaw_ended.load() != 0;
    });
}

bool MemberWorkers::all_frozen(std::int32_t level) const noexcept {
    return std::all_of(workers_.begin(), workers_.end(), [this, level](const auto& worker) {
        return worker->slot->level != level || counts_as_frozen(*worker);
    });
}

std::int32_t MemberWorkers::first_freezing() const noexcept {
    for (std::size_t i = 0; i < workers_.size(); ++i)
        if (workers_[i]->slot->state.load() == MemberState::freezing) return static_cast<std::int32_t>(i);
    return -1;
}

} // namespace quiesced
