// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/window_gate.h"

#include <gtest/gtest.h>

#include <thread>

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(WindowGate, WindowsOverlapAndKeepChangesOut) {
    const auto gate = std::make_shared<WindowGate>();
    auto first = gate->enter_window(milliseconds(0));
    auto second = gate->enter_window(milliseconds(0));
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(gate->try_change());
    first->reset();
    EXPECT_FALSE(gate->try_change()) << "the second is open still";
    EXPECT_EQ(gate->begin_change(milliseconds(1)).error().kind, ErrorKind::busy);
    second->reset();
    EXPECT_TRUE(gate->try_change());
}

TEST(WindowGate, AChangeKeepsWindowsAndOtherChangesOutUntilItEnds) {
    const auto gate = std::make_shared<WindowGate>();
    auto change = gate->try_change();
    ASSERT_TRUE(change);
    EXPECT_FALSE(gate->try_change());
    const auto refused = gate->enter_window(milliseconds(1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::busy);
    std::jthread ends([&change] { change.reset(); });
    EXPECT_TRUE(gate->enter_window(seconds(30)));
}

TEST(WindowGate, ACopyOfAPassIsOnePass) {
    const auto gate = std::make_shared<WindowGate>();
    auto pass = gate->try_change().value();
    auto copy = pass;
    pass.reset();
    EXPECT_FALSE(gate->try_change());
    copy.reset();
    EXPECT_TRUE(gate->try_change());
}

} // namespace
} // namespace quiesced
