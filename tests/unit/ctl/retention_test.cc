// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::time_t kNoon = 1735732800; // 2025-01-01T12:00:00Z

class Retained : public testing::Test {
protected:
    void add(const std::string& id, const std::string& created, const std::vector<std::string>& volumes, const std::string& state = "complete") {
        auto& set = sets_.emplace_back();
        set.id = id;
        set.created = created;
        set.state = state;
        for (const auto& name : volumes) set.members.emplace_back().volume = name;
    }
    std::vector<std::string> gone(const Retention& rules) {
        std::vector<std::string> ids;
        for (const auto& set : expired(sets_, rules, kNoon)) ids.push_back(set.id);
        return ids;
    }
    std::vector<ManifestView> sets_;
};

TEST_F(Retained, TheNewestOfTheSameVolumesStay) {
    add("3", "2025-01-01T09:00:00Z", {"/a", "/b"});
    add("1", "2025-01-01T07:00:00Z", {"/a", "/b"});
    add("2", "2025-01-01T08:00:00Z", {"/b", "/a"});
    add("0", "2025-01-01T06:00:00Z", {"/a"});
    EXPECT_THAT(gone({.keep = 1, .max_age = {}}), ElementsAre("1", "2"));
    EXPECT_THAT(gone({.keep = 2, .max_age = {}}), ElementsAre("1"));
    EXPECT_THAT(gone({.keep = 3, .max_age = {}}), IsEmpty());
}

TEST_F(Retained, WhatIsOlderGoesWhateverItsVolumes) {
    add("1", "2025-01-01T10:59:59Z", {"/a"});
    add("2", "2025-01-01T11:00:00Z", {"/b"});
    EXPECT_THAT(gone({.keep = {}, .max_age = std::chrono::hours(1)}), ElementsAre("1"));
}

TEST_F(Retained, NothingGoesWithoutARule) {
    add("1", "2020-01-01T10:59:59Z", {"/a"});
    EXPECT_THAT(gone({}), IsEmpty());
}

TEST_F(Retained, ASetWhoseRevertWasInterruptedStaysAndDoesNotCount) {
    for (const auto* id : {"1", "2", "3"}) add(id, "2020-01-01T00:00:00Z", {"/a"});
    sets_[1].members[0].revert = "interrupted";
    EXPECT_THAT(gone({.keep = 1, .max_age = {}}), ElementsAre("1"));
    EXPECT_THAT(gone({.keep = {}, .max_age = std::chrono::hours(1)}), ElementsAre("1", "3"));
}

TEST_F(Retained, OnlyCompleteSetsCountAndGo) {
    add("1", "2020-01-01T00:00:00Z", {"/a"});
    add("2", "2020-01-02T00:00:00Z", {"/a"}, "failed");
    add("3", "2020-01-03T00:00:00Z", {"/a"}, "frozen");
    EXPECT_THAT(gone({.keep = 1, .max_age = {}}), IsEmpty());
    EXPECT_THAT(gone({.keep = {}, .max_age = std::chrono::hours(1)}), ElementsAre("1"));
}

TEST_F(Retained, ATimeThatCannotBeReadIsNotOld) {
    add("1", "yesterday", {"/a"});
    EXPECT_THAT(gone({.keep = {}, .max_age = std::chrono::seconds(1)}), IsEmpty());
}

TEST(Age, IsANumberWithAUnit) {
    EXPECT_EQ(parse_age("7d"), std::chrono::hours(168));
    EXPECT_EQ(parse_age("36h"), std::chrono::hours(36));
    EXPECT_EQ(parse_age("90min"), std::chrono::minutes(90));
    EXPECT_EQ(parse_age("5s"), std::chrono::seconds(5));
    for (const auto* text : {"", "7", "d", "0d", "-1d", "7 d", "7days", "7m", "99999999999999999999d", "9999999d"}) EXPECT_FALSE(parse_age(text)) << text;
}

} // namespace
} // namespace quiesced
