// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/plan_calls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

namespace quiesced {
namespace {

/// As a message of the bus: its end takes the library's lock.
class Message {
public:
    explicit Message(std::mutex& library) : library_(library) {}
    ~Message() {
        std::this_thread::sleep_for(std::chrono::microseconds(200)); // house-allow(sleep): so that somebody meets it here
        const std::lock_guard lock(library_);
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

private:
    std::mutex& library_;
};

TEST(PlanCalls, OneThatIsStartedUnderTheLibrarysLockNeverWaitsForAnotherOnesAnswer) {
    std::mutex library;
    PlanCalls calls;
    auto started = std::async(std::launch::async, [&] {
        for (int begun = 0; begun < 100;) {
            auto message = std::make_shared<Message>(library);
            auto held = message; // a refused one ends below, without the lock
            {
                const std::lock_guard lock(library); // as in a handler on the bus's thread
                if (calls.start([held = std::move(held)](const std::stop_token&) {})) ++begun;
            }
            message.reset();
            std::this_thread::yield(); // eight at once: the others are refused
        }
    });
    if (started.wait_for(std::chrono::seconds(20)) == std::future_status::ready) return;
    ADD_FAILURE() << "a handler waits for a plan that waits for the handler";
    std::_Exit(EXIT_FAILURE); // neither can be ended
}

} // namespace
} // namespace quiesced
