// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/holds.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace quiesced {
namespace {

Result<void> watch(int poll, int fd, std::uint64_t number) {
    epoll_event event{};
    event.events = EPOLLIN; // EPOLLHUP comes unasked
    event.data.u64 = number;
    if (::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("cannot watch a handle");
    return {};
}

void let_go(SnapshotSet& set) {
    const auto state = set.state();
    if (is_final(state) || state == State::thawing || state == State::thawed) return;
    set.post(state == State::snapshotted ? Step::thaw : Step::abort, [](const Result<void>&) {});
}

} // namespace

Result<void> Holds::start() {
    if (thread_.joinable()) return {};
    poll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!poll_ || !wake_) return fail_errno("cannot watch handles");
    if (auto added = watch(poll_.get(), wake_.get(), 0); !added) return added;
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        return fail(ErrorKind::limit, "no thread to watch handles: " + std::string(error.what()), "Try again later.");
    }
    return {};
}

void Holds::drop_finished() {
    std::erase_if(handles_, [](const auto& entry) {
        const auto set = entry.second.object.lock();
        return !set || is_final(set->state());
    });
}

Result<UniqueFd> Holds::hold(const std::shared_ptr<SnapshotSet>& set) {
    if (is_final(set->state()))
        return fail(ErrorKind::wrong_state, "the set is '" + std::string(state_name(set->state())) + "': there is nothing to hold");
    const std::lock_guard lock(mutex_);
    if (ending_) return fail(ErrorKind::lost, "quiesced is stopping");
    drop_finished();
    const auto of_this = std::count_if(handles_.begin(), handles_.end(), [&](const auto& entry) { return entry.second.set == set->id(); });
    if (handles_.size() >= kMost || static_cast<std::size_t>(of_this) >= kMostOfASet)
        return fail(ErrorKind::limit, "there are " + std::to_string(of_this) + " handles on this set, and " + std::to_string(handles_.size()) + " in all",
                    "Close one first: " + std::to_string(kMostOfASet) + " and " + std::to_string(kMost) + " are possible.");
    if (auto started = start(); !started) return pass(started);
    std::array<int, 2> ends{};
    // The requestor cannot fill it: nobody reads, and a byte that is written counts as let go.
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno("cannot make a handle");
    UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    const auto number = next_++;
    const int fd = ours.get();
    handles_.emplace(number, Handle{.end = std::move(ours), .set = set->id(), .object = set});
    if (auto added = watch(poll_.get(), fd, number); !added) {
        handles_.erase(number);
        return pass(added);
    }
    return theirs;
}

bool Holds::held(const SetId& set) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(handles_.begin(), handles_.end(), [&](const auto& entry) { return entry.second.set == set; });
}

void Holds::run() {
    for (;;) {
        epoll_event event{};
        const int count = ::epoll_wait(poll_.get(), &event, 1, -1);
        if (count < 0 && errno == EINTR) continue;
        std::shared_ptr<SnapshotSet> set;
        {
            const std::lock_guard lock(mutex_);
            if (count < 0 || ending_) return;
            const auto found = handles_.find(event.data.u64);
            if (found == handles_.end()) continue;
            set = found->second.object.lock();
            handles_.erase(found);
        }
        if (set) let_go(*set);
    }
}

void Holds::finish() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        if (!thread_.joinable()) return;
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
    }
    thread_.join();
}

} // namespace quiesced
