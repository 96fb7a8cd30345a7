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

} // namespace
} // namespace quiesced
