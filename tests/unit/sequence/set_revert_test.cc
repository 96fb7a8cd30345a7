// SPDX-License-Identifier: LGPL-2.1-or-later
#include "set_fixture.h"

namespace quiesced {
namespace {

const Merge kRunning{.progress = Merge::Progress::running, .percent = 40};
const Merge kPending{.progress = Merge::Progress::pending, .percent = {}};
const Merge kDone{.progress = Merge::Progress::done, .percent = {}};

/// A complete set over "/srv/data" (LVM) and "/srv/log" (a plugin, which can revert here).
class RevertedSet : public Set {
protected:
    RevertedSet() {
        make();
        EXPECT_TRUE(run(Step::take));
    }
    Result<void> revert(const std::vector<std::string>& members = {}) {
        std::promise<Result<void>> done;
        set_->revert(members, [&done](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }
    Result<void> refresh() {
        std::promise<Result<void>> done;
        set_->refresh_merges([&done](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }
    Result<void> revert_watched(const std::shared_ptr<RevertWatch>& watch) {
        std::promise<Result<void>> done;
        set_->revert({"/srv/data"}, [&done](Result<void> result) { done.set_value(std::move(result)); }, watch);
        return done.get_future().get();
    }
    Manifest on_disk() { return store_->load(set_->id()).value(); }
};

TEST_F(RevertedSet, AllMembersAreMergedWaitedForAndHaveNoSnapshotThen) {
    lvm_->merge_answers = {kRunning, kRunning, kDone};
    plugin_->merge_answers = {kDone};
    ASSERT_TRUE(revert());
    EXPECT_EQ(lvm_->calls->count("revert 1"), 1U);
    EXPECT_EQ(plugin_->calls->count("revert 1"), 1U);
    for (const auto& manifest : {set_->describe(), on_disk()}) {
        EXPECT_EQ(manifest.consistency, "reverted");
        EXPECT_EQ(manifest.state, "complete");
        for (const auto& member : manifest.members) {
            EXPECT_EQ(member.revert, "done");
            EXPECT_EQ(member.consistency, "reverted");
            EXPECT_EQ(member.snapshot + member.device + member.reference, "");
        }
    }
    EXPECT_TRUE(set_->fills().empty());
    ASSERT_TRUE(run(Step::remove)) << "there is nothing to remove but the set";
    EXPECT_EQ(lvm_->calls->count("remove 1"), 0U);
    EXPECT_FALSE(store_->load(set_->id()));
}

TEST_F(RevertedSet, OneInUseIsPendingOnDiskAndCanBeNeitherMappedNorDeletedUntilItIsDone) {
    lvm_->merge_answers = {kPending};
    plugin_->merge_answers = {kDone};
    ASSERT_TRUE(revert());
    EXPECT_EQ(on_disk().members[0].revert, "pending");
    EXPECT_EQ(on_disk().members[0].snapshot, "/srv/data-snapshot");
    EXPECT_EQ(on_disk().members[1].revert, "done");
    EXPECT_TRUE(set_->merge_pending());
    const auto refused = run(Step::remove);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::busy);
    ASSERT_TRUE(run(Step::map));
    EXPECT_EQ(lvm_->calls->count("map 1"), 0U) << "its snapshot is LVM's now";
    lvm_->merge_answers = {kDone};
    ASSERT_TRUE(refresh());
    EXPECT_EQ(on_disk().members[0].revert, "done");
    EXPECT_FALSE(set_->merge_pending());
    EXPECT_TRUE(run(Step::remove));
}

TEST_F(RevertedSet, WhatAMergeThatWasCutOffHasLeftIsRemovedBeforeItIsDoneAndNotInAWindow) {
    lvm_->merge_answers = {kPending};
    plugin_->merge_answers = {kDone};
    ASSERT_TRUE(revert());
    auto left = kDone;
    left.left_over = true;
    lvm_->merge_answers = {left};
    {
        const auto window = gate_->enter_window(std::chrono::seconds(1));
        ASSERT_TRUE(window);
        ASSERT_TRUE(refresh());
        EXPECT_EQ(on_disk().members[0].revert, "running");
        EXPECT_EQ(lvm_->calls->count("remove 1"), 0U);
    }
    lvm_->remove_error = error(ErrorKind::lvm_failed, "lvremove said no");
    EXPECT_FALSE(refresh());
    EXPECT_EQ(on_disk().members[0].revert, "running") << "it is still known by its record";
    lvm_->remove_error.reset();
    ASSERT_TRUE(refresh());
    EXPECT_EQ(on_disk().members[0].revert, "done");
    EXPECT_EQ(lvm_->calls->count("remove 1"), 2U);
}

TEST_F(RevertedSet, AnotherRevertOfAPendingOneOnlyLooksAgain) {
    lvm_->merge_answers = {kPending};
    plugin_->merge_answers = {kDone};
    ASSERT_TRUE(revert());
    lvm_->merge_answers = {kDone};
    ASSERT_TRUE(revert());
    EXPECT_EQ(lvm_->calls->count("revert 1"), 1U);
    EXPECT_EQ(set_->describe().members[0].revert, "done");
}

TEST_F(RevertedSet, NothingBeginsWhenOneProviderCannot) {
    plugin_->revert_check_error = error(ErrorKind::unsupported, "the array does it");
    const auto refused = revert();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
    EXPECT_EQ(lvm_->calls->count("revert 1"), 0U);
    EXPECT_EQ(on_disk().members[0].revert, "");
    lvm_->merge_answers = {kDone};
    ASSERT_TRUE(revert({"/srv/data"})) << "the other one alone, when it is asked for";
    EXPECT_EQ(on_disk().members[0].revert, "done");
    EXPECT_EQ(on_disk().members[1].revert, "");
    EXPECT_EQ(on_disk().consistency, "reverted");
}

TEST_F(RevertedSet, WhatDidNotBeginIsAsItWas) {
    lvm_->revert_error = error(ErrorKind::lvm_failed, "lvconvert said no");
    ASSERT_FALSE(revert({"/srv/data"}));
    EXPECT_EQ(on_disk().members[0].revert, "");
    EXPECT_EQ(on_disk().consistency, "filesystem");
    EXPECT_TRUE(run(Step::remove));
}

TEST_F(RevertedSet, WhenOneProviderHasBegunAndAnotherNotTheErrorSaysSoAndTheNextRevertGoesOnWithTheOther) {
    lvm_->merge_answers = {kRunning, kRunning, kDone};
    plugin_->revert_error = error(ErrorKind::plugin_failed, "the array said no");
    const auto failed = revert();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind, ErrorKind::plugin_failed);
    EXPECT_THAT(failed.error().message(), HasSubstr("the array said no; but it has begun with others: /srv/data is being put back, /srv/log is not"));
    EXPECT_EQ(on_disk().members[0].revert, "running");
    EXPECT_EQ(on_disk().members[1].revert, "interrupted");
    plugin_->revert_error.reset();
    plugin_->merge_answers = {Merge{}, kDone};
    ASSERT_TRUE(revert());
    EXPECT_EQ(lvm_->calls->count("revert 1"), 1U);
    EXPECT_EQ(plugin_->calls->count("revert 1"), 2U);
    EXPECT_EQ(on_disk().members[1].revert, "done");
}

TEST_F(RevertedSet, ALostSnapshotAndANameThatIsNoMemberAreRefused) {
    EXPECT_EQ(revert({"/srv/other"}).error().kind, ErrorKind::no_such_volume);
    ASSERT_TRUE(set_->mark_lost({.volume = "/srv/data", .kind = "store", .name = "vg/data-q1", .percent = 100, .lost = "its store is full"}));
    const auto refused = revert();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::no_space);
    EXPECT_THAT(refused.error().message(), HasSubstr("store is full"));
    EXPECT_EQ(plugin_->calls->count("revert 1"), 0U);
}

TEST_F(RevertedSet, WaitsForNoWindowForEverAndKeepsThemOutWhileItBegins) {
    auto window = gate_->enter_window(std::chrono::milliseconds(0));
    ASSERT_TRUE(window);
    std::jthread ends([&window] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100)); // house-allow(sleep): a window takes its time
        window->reset();
    });
    lvm_->merge_answers = {kDone};
    EXPECT_TRUE(revert({"/srv/data"}));
    EXPECT_TRUE(gate_->try_change()) << "it is over";
}

TEST_F(RevertedSet, AMergeThatRunsDoesNotHoldUpTheEndOfTheDaemon) {
    lvm_->merge_answers = {kRunning};
    std::promise<Result<void>> done;
    set_->revert({"/srv/data"}, [&done](Result<void> result) { done.set_value(std::move(result)); });
    while (set_->describe().members[0].revert != "running")
        std::this_thread::sleep_for(std::chrono::milliseconds(5)); // house-allow(sleep): polls a state, no event to wait for
    EXPECT_EQ(set_->describe().members[0].revert_percent, 40.0);
    EXPECT_FALSE(set_->merge_pending()) << "somebody looks at it";
    set_.reset();
    EXPECT_EQ(done.get_future().get().error().kind, ErrorKind::lost);
    EXPECT_EQ(store_->list()->size(), 1U);
}

TEST_F(RevertedSet, WhoeverWatchesHearsOfEachLook) {
    auto quarter = kRunning;
    quarter.percent = 25;
    lvm_->merge_answers = {quarter, kRunning, kDone};
    std::vector<double> told;
    ASSERT_TRUE(revert_watched(std::make_shared<RevertWatch>([&told](double fraction) { told.push_back(fraction); })));
    EXPECT_EQ(told, (std::vector{0.25, 0.4, 1.0}));
}

TEST_F(RevertedSet, ItCanBeGivenUpUntilItBegins) {
    const auto window = gate_->enter_window(std::chrono::milliseconds(0));
    ASSERT_TRUE(window);
    const auto watch = std::make_shared<RevertWatch>();
    std::jthread cancels([&watch] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100)); // house-allow(sleep): the other one waits for the window meanwhile
        EXPECT_TRUE(watch->cancel());
    });
    const auto start = Monotonic::now();
    const auto refused = revert_watched(watch);
    EXPECT_LT(Monotonic::now() - start, std::chrono::seconds(10)) << "the window stays open";
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::wrong_state);
    EXPECT_EQ(lvm_->calls->count("revert 1"), 0U);
    EXPECT_EQ(on_disk().members[0].revert, "");
}

TEST_F(RevertedSet, OnceItHasBegunItCannotBeGivenUp) {
    lvm_->merge_answers = {kDone};
    const auto watch = std::make_shared<RevertWatch>();
    ASSERT_TRUE(revert_watched(watch));
    EXPECT_FALSE(watch->cancel());
}

TEST_F(RevertedSet, AnExtensionAsksTheMembersProvider) {
    const Fill fill{.volume = "/srv/data", .kind = "store", .name = "vg/data-q1", .percent = 90, .lost = {}};
    const auto done = set_->extend(fill, 20);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->to, Bytes{120});
    EXPECT_EQ(lvm_->calls->count("extend /srv/data-snapshot by 20"), 1U);
}

TEST_F(Set, CannotBeRevertedBeforeItIsComplete) {
    make();
    std::promise<Result<void>> done;
    set_->revert({}, [&done](Result<void> result) { done.set_value(std::move(result)); });
    EXPECT_EQ(done.get_future().get().error().kind, ErrorKind::wrong_state);
    EXPECT_EQ(set_->state(), State::created);
}

TEST_F(Set, NothingCanBeChangedFromBeforeItIsPrimedToAfterItIsThawed) {
    make();
    ASSERT_TRUE(run(Step::prepare));
    EXPECT_TRUE(gate_->try_change());
    ASSERT_TRUE(run(Step::freeze));
    EXPECT_FALSE(gate_->try_change());
    ASSERT_TRUE(run(Step::snapshot));
    EXPECT_FALSE(gate_->try_change());
    ASSERT_TRUE(run(Step::thaw));
    EXPECT_TRUE(gate_->try_change());
}

TEST_F(Set, AnAbortLetsChangesInAgain) {
    make();
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(run(Step::freeze));
    ASSERT_TRUE(run(Step::abort));
    EXPECT_TRUE(gate_->try_change());
}

} // namespace
} // namespace quiesced
