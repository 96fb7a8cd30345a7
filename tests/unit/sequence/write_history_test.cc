// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/write_history.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

using std::chrono::minutes;

constexpr DeviceNumber kDevice{253, 1};

class History : public testing::Test {
protected:
    std::uint64_t at(minutes since_start, std::uint64_t written) {
        return history_.last_hour({.taken = Monotonic::time_point{} + since_start, .written = {{kDevice, written}}}).at(kDevice);
    }
    WriteHistory history_;
};

TEST_F(History, IsCountedFromTheStartOfTheMachineAtFirst) {
    EXPECT_EQ(at(minutes(30), 1800), 3600U) << "half an hour, at that rate";
    EXPECT_EQ(at(minutes(600), 36000), 3600U);
}

TEST_F(History, IsCountedFromTheYoungestLookThatIsAnHourOld) {
    at(minutes(600), 36000);
    at(minutes(660), 36000);
    at(minutes(690), 90000);
    EXPECT_EQ(at(minutes(720), 72000 + 36000), 72000U) << "since 660, when it was 36000";
}

TEST_F(History, LooksThatAreCloseDoNotPushOutTheOldOnes) {
    at(minutes(600), 0);
    for (int i = 1; i < 60; ++i) at(minutes(600 + i), 0);
    EXPECT_EQ(at(minutes(660), 7200), 7200U);
}

TEST_F(History, ADeviceThatHasNoPastHasNoRate) {
    at(minutes(60), 1);
    const auto hour = history_.last_hour({.taken = Monotonic::time_point{} + minutes(180), .written = {{DeviceNumber{253, 9}, 5}}});
    EXPECT_TRUE(hour.empty()) << "what was written to it in that hour is not known";
}

} // namespace
} // namespace quiesced
