// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/space_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

Fill store(double percent, const std::string& lost = {}) {
    return {.volume = "/srv/data", .kind = "store", .name = "vg/data-q1", .percent = percent, .lost = lost};
}

class Levels : public testing::Test {
protected:
    std::vector<unsigned> at(double percent, seconds after = seconds(1)) {
        now_ += after;
        std::vector<unsigned> told;
        for (const auto& level : levels_.update(set_, {store(percent)}, now_)) told.push_back(level.level);
        return told;
    }
    const SetId set_ = SetId::parse("6560000000000001").value();
    FillLevels levels_;
    Monotonic::time_point now_ = Monotonic::now();
};

TEST_F(Levels, EachIsToldOnceAndTheHighestAloneWhenSeveralAreReachedAtOnce) {
    EXPECT_THAT(at(79.9), IsEmpty());
    EXPECT_THAT(at(80), ElementsAre(80U));
    EXPECT_THAT(at(81), IsEmpty());
    EXPECT_THAT(at(96), ElementsAre(95U));
    EXPECT_THAT(at(100), IsEmpty());
}

TEST_F(Levels, AStoreThatWasExtendedIsToldOfAgain) {
    EXPECT_THAT(at(91), ElementsAre(90U));
    EXPECT_THAT(at(45), IsEmpty());
    EXPECT_THAT(at(85), ElementsAre(80U));
}

TEST_F(Levels, WhatGoesUpAndDownAroundALevelIsToldOfOnce) {
    EXPECT_THAT(at(86), ElementsAre(80U));
    EXPECT_THAT(at(78), IsEmpty());
    EXPECT_THAT(at(85), IsEmpty());
    EXPECT_THAT(at(91), ElementsAre(90U));
}

TEST_F(Levels, AFullPoolOfTwoMembersIsToldOnce) {
    const Fill one{.volume = "/a", .kind = "pool-data", .name = "vg/pool", .percent = 92, .lost = {}};
    auto other = one;
    other.volume = "/b";
    EXPECT_EQ(levels_.update(set_, {one, other}, now_).size(), 1U);
}

TEST_F(Levels, ThePauseFollowsTheSpeed) {
    EXPECT_FALSE(levels_.pause()) << "nothing to look at";
    at(10);
    EXPECT_EQ(levels_.pause(), seconds(60)) << "its speed is not known yet";
    at(20, seconds(10)); // 1 % a second, 60 % to go
    EXPECT_EQ(levels_.pause(), seconds(30));
    at(79, seconds(1));
    EXPECT_EQ(levels_.pause(), seconds(1)) << "never shorter";
    at(100);
    EXPECT_FALSE(levels_.pause()) << "nothing more can be told of it";
}

TEST_F(Levels, WhatMayBeExtendedIsLookedAtMoreOftenAndItsThresholdIsALevel) {
    at(10);
    EXPECT_EQ(levels_.pause(60U), seconds(2)) << "a load may begin";
    at(50, seconds(10)); // 4 % a second
    EXPECT_EQ(levels_.pause(55U), seconds(1)) << "5 % to go";
    EXPECT_EQ(levels_.pause(), milliseconds(3750)) << "30 % to go to the first level";
}

TEST_F(Levels, AForgottenSetIsNotLookedAt) {
    at(10);
    levels_.forget(set_);
    EXPECT_FALSE(levels_.pause());
}

/// Events that the test makes.
class FakeDmEvents : public DmEvents {
public:
    void arm() override {}
    void wait(std::optional<milliseconds> /*longest*/) override {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return woken_; });
        woken_ = false;
    }
    void wake() override {
        const std::lock_guard lock(mutex_);
        woken_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false;
};

TEST(SpaceWatch, TellsOfLevelsAndOfWhatIsLostAndEndsWhileItWaits) {
    const auto set = SetId::parse("6560000000000001").value();
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> told;
    double percent = 50;
    std::string lost;
    const auto tell = [&](std::string what) {
        told.push_back(std::move(what));
        changed.notify_all();
    };
    SpaceWatch watch({.fills = [&] {
                          const std::lock_guard lock(mutex);
                          return std::map<SetId, std::vector<Fill>>{{set, {store(percent, lost)}}};
                      },
                      .low = [&](const SetId& id, const SpaceLevel& level) {
                          const std::lock_guard lock(mutex);
                          tell(id.text() + " " + level.fill.volume + " " + std::to_string(level.level));
                      },
                      .lost = [&](const SetId&, const Fill& fill) {
                          const std::lock_guard lock(mutex);
                          tell("lost: " + fill.lost);
                      }},
                     std::make_unique<FakeDmEvents>());
    std::unique_lock lock(mutex);
    percent = 93;
    watch.look();
    ASSERT_TRUE(changed.wait_for(lock, seconds(20), [&] { return told.size() == 1; }));
    percent = 100;
    lost = "its store is full";
    watch.look();
    ASSERT_TRUE(changed.wait_for(lock, seconds(20), [&] { return told.size() == 3; }));
    EXPECT_THAT(told, ElementsAre("6560000000000001 /srv/data 90", "6560000000000001 /srv/data 95", "lost: its store is full"));
}

TEST(SpaceWatch, ExtendsAPlaceOnceALookFromItsThresholdOnAndLooksAgainSoon) {
    const auto set = SetId::parse("6560000000000001").value();
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> told;
    double percent = 69;
    std::string lost;
    std::optional<unsigned> extend_at = 70;
    bool looked = false;
    SpaceWatch watch({.fills = [&] {
                          const std::lock_guard lock(mutex);
                          looked = true;
                          changed.notify_all();
                          return std::map<SetId, std::vector<Fill>>{{set, {store(percent, lost), store(percent, lost)}}};
                      },
                      .low = [&](const SetId&, const SpaceLevel& level) {
                          const std::lock_guard lock(mutex);
                          told.push_back("low " + std::to_string(level.level));
                      },
                      .lost = [](const SetId&, const Fill&) {},
                      .extend_at = [&] {
                          const std::lock_guard lock(mutex);
                          return extend_at;
                      },
                      .extend = [&](const SetId&, const Fill& fill) {
                          const std::lock_guard lock(mutex);
                          told.push_back("extend " + fill.name);
                          changed.notify_all();
                          return false;
                      }},
                     std::make_unique<FakeDmEvents>());
    const auto look = [&](std::unique_lock<std::mutex>& lock) {
        looked = false;
        watch.look();
        return changed.wait_for(lock, seconds(20), [&] { return looked; });
    };
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, seconds(20), [&] { return looked; }));
    percent = 81;
    ASSERT_TRUE(look(lock));
    ASSERT_TRUE(look(lock)) << "the look before is over";
    ASSERT_GE(told.size(), 2U);
    EXPECT_EQ(told[0], "extend vg/data-q1") << "before anybody is told, and once for two members";
    EXPECT_EQ(told[1], "low 80");
    lost = "it is full";
    ASSERT_TRUE(look(lock));
    ASSERT_TRUE(look(lock));
    const auto before = told.size();
    lost.clear();
    extend_at.reset();
    ASSERT_TRUE(look(lock));
    ASSERT_TRUE(look(lock));
    EXPECT_EQ(told.size(), before) << "neither what is lost, nor when it is off";
}

} // namespace
} // namespace quiesced
