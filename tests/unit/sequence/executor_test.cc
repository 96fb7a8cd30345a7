// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/executor.h"

#include <gmock/gmock.h>

#include <memory>
#include <optional>

namespace quiesced {
namespace {

TEST(Executor, RunsWhatItIsGivenInOrderAndAllOfItBeforeItEnds) {
    std::vector<int> done;
    {
        Executor executor;
        for (int i = 0; i < 3; ++i) executor.post([&done, i] { done.push_back(i); });
    }
    EXPECT_THAT(done, testing::ElementsAre(0, 1, 2));
}

TEST(Executor, WhatComesTooLateIsDestroyedByItsDestructorAndNotByWhoeverPostsIt) {
    std::optional<Executor> executor(std::in_place);
    executor->finish();
    auto held = std::make_shared<int>();
    const std::weak_ptr<int> watched = held;
    bool ran = false;
    std::thread([&executor, &ran, last = std::move(held)]() mutable { executor->post([&ran, last = std::move(last)] { ran = true; }); }).join();
    EXPECT_FALSE(watched.expired()) << "the thread that posts would be the one to destroy it";
    executor.reset();
    EXPECT_TRUE(watched.expired());
    EXPECT_FALSE(ran);
}

} // namespace
} // namespace quiesced
