// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/expiry.h"

namespace quiesced {

Expiry::Expiry(std::chrono::milliseconds after, Expired expired)
    : after_(after), expired_(std::move(expired)), thread_([this] { run(); }) {}

Expiry::~Expiry() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        changed_.notify_one();
    }
    thread_.join();
}

void Expiry::add(const SetId& set) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(Clock::now() + after_, set);
    changed_.notify_one();
}

void Expiry::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        if (waiting_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const auto when = waiting_.front().first;
        if (Clock::now() < when) {
            changed_.wait_until(lock, when);
            continue;
        }
        const auto set = waiting_.front().second;
        waiting_.pop_front();
        lock.unlock();
        expired_(set);
        lock.lock();
    }
}

} // namespace quiesced
