// SPDX-License-Identifier: LGPL-2.1-or-later
#include "set_fixture.h"

namespace quiesced {
namespace {

/// A complete set over "/srv/data" (LVM) and "/srv/log" (a plugin).
class CompleteSet : public Set {
protected:
    CompleteSet() {
        make();
        EXPECT_TRUE(run(Step::take));
    }
};

TEST_F(CompleteSet, MapAsksEachProviderAndKeepsTheNewDevicesOnDisk) {
    ASSERT_TRUE(run(Step::map));
    EXPECT_EQ(lvm_->calls->count("map 1"), 1U);
    EXPECT_EQ(plugin_->calls->count("map 1"), 1U);
    const auto manifest = store_->load(set_->id());
    ASSERT_TRUE(manifest);
    EXPECT_EQ(manifest->members[0].device, "/dev/mapped//srv/data");
    EXPECT_EQ(manifest->members[1].device, "/dev/mapped//srv/log");
    EXPECT_EQ(manifest->members[0].snapshot, "/srv/data-snapshot");
}

TEST_F(CompleteSet, AMapThatFailsChangesNothing) {
    plugin_->map_error = error(ErrorKind::no_such_volume, "snapshot 7 is gone");
    const auto result = run(Step::map);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::no_such_volume);
    EXPECT_EQ(set_->state(), State::complete);
    EXPECT_EQ(store_->load(set_->id())->members[0].device, "/dev/snapshot");
}

TEST_F(CompleteSet, WhatLooksLostOnceItIsRemovedNeedNotBe) {
    EXPECT_FALSE(set_->being_removed());
    ASSERT_TRUE(run(Step::remove));
    EXPECT_TRUE(set_->being_removed());
}

TEST_F(CompleteSet, ComesBackFromDiskAndIsMappedAndRemovedWithItsProviders) {
    SetEnvironment environment;
    environment.store = store_.get();
    SnapshotSet again(set_->id(), store_->load(set_->id()).value(), {plugin_, lvm_}, environment, {});
    const auto go = [&](Step step) {
        std::promise<Result<void>> done;
        again.post(step, [&done](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    };
    EXPECT_TRUE(go(Step::map));
    EXPECT_TRUE(go(Step::remove));
    EXPECT_EQ(lvm_->calls->count("remove 1"), 1U);
    EXPECT_FALSE(store_->load(set_->id()));
}

TEST_F(CompleteSet, ALostSnapshotMarksTheSetOnDiskOnce) {
    const Fill fill{.volume = "/srv/data", .kind = "store", .name = "vg/data-q1", .percent = 100, .lost = "its store is full"};
    EXPECT_EQ(set_->mark_lost(fill).value(), true);
    EXPECT_EQ(set_->mark_lost(fill).value(), false) << "it is no news any more";
    const auto manifest = store_->load(set_->id());
    EXPECT_EQ(manifest->consistency, "lost");
    EXPECT_EQ(manifest->members[0].consistency, "lost");
    EXPECT_THAT(manifest->members[0].error, HasSubstr("store is full"));
    EXPECT_EQ(manifest->members[1].consistency, "filesystem");
    ASSERT_TRUE(run(Step::remove));
    EXPECT_EQ(set_->mark_lost({.volume = "/srv/log", .kind = "store", .name = "vg/log", .percent = 100, .lost = "gone"}).value(), false);
    EXPECT_FALSE(store_->load(set_->id())) << "a removed set does not come back";
}

TEST_F(CompleteSet, WithoutItsProviderSaysWhichPluginToStart) {
    SetEnvironment environment;
    environment.store = store_.get();
    SnapshotSet again(set_->id(), store_->load(set_->id()).value(), {lvm_}, environment, {});
    for (const auto step : {Step::map, Step::remove}) {
        std::promise<Result<void>> done;
        again.post(step, [&done](Result<void> result) { done.set_value(std::move(result)); });
        const auto result = done.get_future().get();
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().kind, ErrorKind::plugin_missing);
        EXPECT_THAT(result.error().message(), HasSubstr("quiesced-plugin-exec.socket"));
    }
}

TEST_F(Set, CannotBeMappedBeforeItIsComplete) {
    make();
    const auto refused = run(Step::map);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::wrong_state);
    EXPECT_EQ(set_->state(), State::created);
}

} // namespace
} // namespace quiesced
