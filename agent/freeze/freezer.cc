// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/freezer.h"

#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "freeze/process_identity.h"

namespace quiesced {

using Kind = FreezerMessage::Kind;

Freezer::Freezer(UniqueFd socket, FreezeKernel& kernel, DmKernel& dm, RcuSwitch& rcu, Options options)
    : socket_(std::move(socket)), kernel_(kernel), dm_(dm), rcu_(rcu), options_(options) {}

int Freezer::run() {
    if (auto wakeup = Wakeup::create()) wakeup_.emplace(std::move(*wakeup));
    timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!wakeup_ || !timer_) return 1;
    // After the socket is gone and nothing is in flight there is nobody left to serve.
    while (!(quit_ && phase_ == Phase::done && (!members_ || members_->in_flight() == 0))) {
        std::array<pollfd, 3> entries{{{.fd = wakeup_->fd(), .events = POLLIN, .revents = 0},
                                       {.fd = timer_.get(), .events = POLLIN, .revents = 0},
                                       {.fd = quit_ ? -1 : socket_.get(), .events = POLLIN, .revents = 0}}};
        if (::poll(entries.data(), entries.size(), -1) < 0) {
            if (errno == EINTR) continue;
            return 1; // the daemon sees the end of the socket and thaws in our place
        }
        if ((entries[0].revents & POLLIN) != 0) {
            wakeup_->clear();
            advance();
        }
        if ((entries[1].revents & POLLIN) != 0) {
            std::uint64_t expirations = 0;
            // The timer may have been moved on (extend) after poll() saw it: then there is nothing to read.
            if (::read(timer_.get(), &expirations, sizeof expirations) == static_cast<ssize_t>(sizeof expirations)) time_out();
        }
        if ((entries[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            auto received = receive_message(socket_.get());
            if (received) handle(std::move(*received));
            else lose_daemon(true);
        }
    }
    return clean() ? 0 : 1;
}

void Freezer::handle(ReceivedMessage&& received) {
    const auto kind = received.message.kind;
    const auto value = received.message.value;
    switch (kind) {
    case Kind::attach:
        attach(std::move(received.descriptors));
        return;
    case Kind::ready: {
        const auto ready = get_ready();
        answer(kind, ready ? 0 : (ready.error().error_number != 0 ? ready.error().error_number : EINVAL));
        return;
    }
    case Kind::quit:
        lose_daemon(false);
        return;
    case Kind::thaw:
        thaw_asked_ = true;
        begin_thaw();
        return;
    case Kind::extend:
        // Only while frozen: a deadline that has passed is not taken back.
        if (phase_ == Phase::freezing || phase_ == Phase::frozen || phase_ == Phase::firing) {
            record_->header().deadline = std::max<std::int64_t>(value, 1);
            arm_deadline();
            answer(kind, 0);
        } else {
            answer(kind, ETIMEDOUT);
        }
        return;
    default:
        break;
    }
    // A cut outside the window would be the snapshot of no moment.
    if (!members_ || phase_ != (kind == Kind::fire ? Phase::frozen : Phase::idle)) {
        answer(kind, phase_ == Phase::done ? ETIMEDOUT : EINVAL);
        return;
    }
    if (kind == Kind::flush) {
        flush_asked_ = true;
        flush_passes_ = 0;
        flush_until_ = monotonic_ns() + value;
        phase_ = Phase::flushing;
        begin_flush_pass();
    } else if (kind == Kind::prime) {
        prime_asked_ = true;
        phase_ = Phase::priming;
        if (record_->chains().empty()) advance();
        else chains_->post_prime();
    } else if (kind == Kind::freeze) {
        begin_freeze(value);
    } else if (kind == Kind::fire) {
        fire_asked_ = true;
        phase_ = Phase::firing;
        if (record_->chains().empty()) advance();
        else chains_->post_fire();
    } else {
        answer(kind, EINVAL);
    }
}

void Freezer::attach(std::vector<UniqueFd>&& descriptors) {
    for (auto& fd : descriptors) attached_.push_back(std::move(fd));
}

Result<void> Freezer::get_ready() {
    if (attached_.empty() || members_) return fail(ErrorKind::internal, "no record was attached");
    auto record = Record::map(std::move(attached_.front()));
    if (!record) return pass(record);
    attached_.erase(attached_.begin());
    if (attached_.size() != record->members().size())
        return fail(ErrorKind::internal, "the number of descriptors is not that of the members");
    record_.emplace(std::move(*record));
    if (auto dm = dm_.prepare(*record_); !dm) return dm;
    if (record_->header().expedite_rcu != 0)
        if (auto rcu = rcu_.prepare(); !rcu) return rcu;
    members_ = std::make_unique<MemberWorkers>(*record_, std::move(attached_), kernel_, *wakeup_);
    chains_ = std::make_unique<ChainWorkers>(*record_, dm_, *wakeup_);
    if (auto started = members_->start(); !started) return started;
    if (auto started = chains_->start(); !started) return started;
    // While a device below the root file system is suspended, a page fault on our own binary would hang. After the
    // threads, so that their stacks are locked and touched as well.
    if (options_.lock_memory && ::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return fail_errno("cannot lock memory");
    touch_stack();
    const auto self = this_process();
    record_->header().freezer_start = self.start;
    record_->header().freezer_pid = self.pid;
    return {};
}

void Freezer::touch_stack() noexcept {
    // More than all calls below take; locked as soon as it is touched.
    std::array<volatile char, 128U * 1024U> depth; // NOLINT(cppcoreguidelines-pro-type-member-init)
    for (std::size_t i = 0; i < depth.size(); i += 4096) depth[i] = 0;
}

void Freezer::advance() {
    switch (phase_) {
    case Phase::flushing:
        advance_flush();
        break;
    case Phase::priming:
        if (chains_->busy()) break;
        phase_ = Phase::idle;
        if (std::exchange(prime_asked_, false)) answer(Kind::prime, chains_->all(ChainState::primed) ? 0 : EIO);
        break;
    case Phase::freezing:
        if (!members_->freezing()) advance_freeze();
        break;
    case Phase::firing:
        if (chains_->busy()) break;
        phase_ = Phase::frozen;
        if (std::exchange(fire_asked_, false)) answer(Kind::fire, chains_->all(ChainState::fired) ? 0 : EIO);
        break;
    case Phase::thawing:
        if (!members_->thawing()) advance_thaw();
        break;
    case Phase::lingering:
        linger();
        break;
    case Phase::unpriming:
        if (!chains_->busy()) finish_unprime();
        break;
    case Phase::idle:
    case Phase::frozen:
    case Phase::done:
        break;
    }
}

void Freezer::begin_flush_pass() {
    // The first pass has much to write. All at once, every journal's commit would wait behind the data of all the others, and
    // with it the applications: one after another, as long as they return. Those of slow disks overlap by and by. Later
    // passes have little to write and are to be short: what is written meanwhile is left for the freeze. Unless the pass before
    // was long: then the applications keep the processors busy, and all at once would take these from them (docs/window.md).
    if (flush_passes_ == 0) flush_width_ = 1;
    else if (flush_pass_length_ > options_.long_flush_ns) flush_width_ = options_.narrow_flush;
    else flush_width_ = static_cast<std::uint32_t>(record_->members().size());
    flush_pass_began_ = monotonic_ns();
    members_->begin_flush();
    advance_flush();
}

void Freezer::advance_flush() {
    // Past the bound all that are left at once: what has never been flushed would make the window longer.
    const auto all = static_cast<std::uint32_t>(record_->members().size());
    const bool left = members_->post_flush(monotonic_ns() < flush_until_ ? flush_width_ : all);
    if (left || members_->flushing()) {
        arm_timer(monotonic_ns() + options_.flush_step_ns);
        return;
    }
    // Passes until one is short. One that was hardly shorter than the one before says that this is how long it takes here.
    const auto length = monotonic_ns() - flush_pass_began_;
    const bool shorter = flush_passes_++ == 0 || length < flush_pass_length_ / 2;
    flush_pass_length_ = length;
    if (shorter && length > options_.short_flush_ns && flush_passes_ < options_.most_flush_passes && monotonic_ns() < flush_until_) {
        begin_flush_pass();
        return;
    }
    arm_timer(0);
    phase_ = Phase::idle;
    if (std::exchange(flush_asked_, false)) answer(Kind::flush, 0);
}

void Freezer::begin_freeze(std::int64_t limit) {
    freeze_asked_ = true;
    phase_ = Phase::freezing;
    hurry();
    auto& header = record_->header();
    if (header.expedite_rcu != 0) {
        // The only value that is ever changed is 0. It stands in the record first: death between the two calls must not
        // leave the whole machine with it.
        header.saved_rcu = 0;
        header.saved_rcu = rcu_.expedite();
    }
    start_count();
    const auto now = monotonic_ns();
    header.window_started = now;
    header.deadline = now + limit;
    level_ = -1;
    advance_freeze();
}

void Freezer::advance_freeze() {
    if (level_ >= 0 && !members_->all_frozen(level_)) {
        // Somebody else's freeze, a vanished mount, an error of the file system: none of the others may wait for that.
        begin_thaw();
        return;
    }
    while (level_ < members_->lowest_level()) {
        const auto limit = record_->header().member_limit;
        level_until_ = limit > 0 ? monotonic_ns() + limit : 0;
        arm_deadline();
        if (members_->post_freeze(++level_) != 0) return;
    }
    level_until_ = 0;
    arm_deadline();
    phase_ = Phase::frozen;
    if (std::exchange(freeze_asked_, false)) answer(Kind::freeze, 0);
}

void Freezer::begin_thaw() {
    if (phase_ == Phase::thawing || phase_ == Phase::lingering || phase_ == Phase::unpriming) return; // its end answers
    if (!members_ || phase_ == Phase::done) {
        if (std::exchange(thaw_asked_, false)) answer(Kind::thaw, clean() ? 0 : EIO);
        return;
    }
    // A chain that is firing ends by itself with the resume of its origin; a FITHAW above it waits just for that.
    record_->header().thaw_began = monotonic_ns();
    // Whether somebody else's freeze outlasted the cuts matters only where there may be cuts.
    members_->want_thaw(phase_ == Phase::frozen || phase_ == Phase::firing);
    phase_ = Phase::thawing;
    level_ = members_->lowest_level() + 1;
    advance_thaw();
}

void Freezer::advance_thaw() {
    while (level_ > 0)
        if (members_->post_thaw(--level_) != 0) {
            arm_timer(monotonic_ns() + options_.linger_ns);
            return;
        }
    linger();
}

void Freezer::linger() {
    if (!members_->freezing() && !members_->thawing()) {
        finish_thaw();
        return;
    }
    // A FIFREEZE that was in flight when the thaw was asked mostly returns in a moment, and its thread thaws at once.
    phase_ = Phase::lingering;
    arm_timer(monotonic_ns() + (members_->thawing() ? options_.thaw_patience_ns : options_.linger_ns));
}

void Freezer::time_out() {
    switch (phase_) {
    case Phase::flushing:
        flush_width_ = std::min(flush_width_ * 2, static_cast<std::uint32_t>(record_->members().size()));
        advance_flush();
        return;
    case Phase::thawing:
        // A FITHAW that does not return, because its disk is gone or a FIFREEZE below it hangs, holds up no other level.
        advance_thaw();
        return;
    case Phase::lingering:
        finish_thaw();
        return;
    case Phase::freezing:
        if (monotonic_ns() < record_->header().deadline.load()) {
            const auto late = members_->first_freezing();
            if (level_until_ == 0 || monotonic_ns() < level_until_ || late < 0) {
                level_until_ = late < 0 ? 0 : level_until_; // the last of them is back, and about to be noticed
                arm_deadline();
                return;
            }
            record_->header().late_member = late + 1;
            begin_thaw();
            return;
        }
        [[fallthrough]];
    case Phase::frozen:
    case Phase::firing:
        record_->header().deadline_passed = 1;
        begin_thaw();
        return;
    default:
        return; // it fired while the thaw that disarms it was under way
    }
}

void Freezer::finish_thaw() {
    auto& header = record_->header();
    if (header.window_started.load() != 0) {
        header.window_ended = monotonic_ns();
        end_count();
    }
    // Also when a FIFREEZE is still in flight: the switch is the whole machine's, and it may be in flight for ever.
    if (const auto saved = header.saved_rcu.load(); saved >= 0 && rcu_.restore(saved) == 0) header.saved_rcu = -1;
    arm_timer(0);
    header.thaw_done = monotonic_ns();
    phase_ = Phase::unpriming;
    if (chains_->busy()) return; // a fire that was overtaken; its end comes back to finish_unprime()
    finish_unprime();
}

void Freezer::finish_unprime() {
    if (chains_->needs_unprime() && !unprime_tried_) {
        unprime_tried_ = true;
        if (chains_->post_unprime() != 0) return;
    }
    phase_ = Phase::done;
    // It may live on for a FIFREEZE that is stuck: what is not concerned by that is free.
    members_->release();
    if (!chains_->busy() && !chains_->needs_unprime() && !chains_->left_suspended()) dm_.release();
    const bool passed = record_->header().deadline_passed.load() != 0;
    const std::int32_t result = passed ? ETIMEDOUT : EIO;
    // Before the answers: whoever is told that all is thawed has heard why.
    if (passed) answer(Kind::deadline, clean() ? 0 : EIO);
    if (std::exchange(flush_asked_, false)) answer(Kind::flush, result);
    if (std::exchange(prime_asked_, false)) answer(Kind::prime, result);
    if (std::exchange(freeze_asked_, false)) answer(Kind::freeze, result);
    if (std::exchange(fire_asked_, false)) answer(Kind::fire, result);
    if (std::exchange(thaw_asked_, false)) answer(Kind::thaw, clean() ? 0 : EIO);
}

void Freezer::hurry() noexcept {
    if (!options_.lock_memory) return;
    // On a busy machine every moment that a thread of ours waits for a processor is one in which nobody writes. Each takes
    // microseconds between its waits. Not before: a pre-flush has time. Refused without CAP_SYS_NICE: then as it is.
    const sched_param least{.sched_priority = LockedThread::kHurry};
    ::sched_setscheduler(0, SCHED_FIFO, &least);
    members_->hurry();
    chains_->hurry();
}

void Freezer::arm_deadline() noexcept {
    const auto deadline = record_->header().deadline.load();
    arm_timer(level_until_ != 0 ? std::min(deadline, level_until_) : deadline);
}

void Freezer::start_count() noexcept {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    minor_before_ = usage.ru_minflt;
    major_before_ = usage.ru_majflt;
}

void Freezer::end_count() noexcept {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    auto& header = record_->header();
    header.minor_faults = usage.ru_minflt - minor_before_;
    header.major_faults = usage.ru_majflt - major_before_;
    header.peak_rss = std::int64_t{usage.ru_maxrss} * 1024; // getrusage(2) counts it in KiB
}

void Freezer::arm_timer(std::int64_t when) noexcept {
    itimerspec spec{};
    if (when < 0) when = 1; // long past; 0 would disarm it
    spec.it_value = {.tv_sec = when / 1'000'000'000, .tv_nsec = when % 1'000'000'000};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void Freezer::lose_daemon(bool suddenly) {
    quit_ = true;
    if (!members_) {
        phase_ = Phase::done;
        return;
    }
    if (suddenly && (phase_ == Phase::freezing || phase_ == Phase::frozen || phase_ == Phase::firing)) await_own_end(*record_);
    begin_thaw();
}

void Freezer::answer(FreezerMessage::Kind kind, std::int32_t result) {
    if (quit_) return;
    // A daemon that is gone is noticed by poll(); there is nothing to do about it here.
    static_cast<void>(send_message(socket_.get(), {.kind = kind, .result = result, .value = 0}));
}

bool Freezer::clean() const {
    if (!members_) return true;
    return members_->in_flight() == 0 && !members_->left_frozen() && !chains_->busy() && !chains_->needs_unprime() &&
           !chains_->left_suspended() && record_->header().saved_rcu.load() < 0;
}

} // namespace quiesced
