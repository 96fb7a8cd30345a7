// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/set_report.h"
#include "set_fixture.h"

namespace quiesced {
namespace {

TEST_F(Set, TheStepsGoThroughEveryStateAndEndComplete) {
    make();
    for (const auto step : {Step::prepare, Step::freeze, Step::snapshot, Step::thaw, Step::finish}) {
        const auto result = run(step);
        ASSERT_TRUE(result) << result.error().message();
    }
    EXPECT_THAT(states(), ElementsAre("preparing", "prepared", "freezing", "frozen", "snapshotting", "snapshotted", "thawing", "thawed", "complete"));
    EXPECT_EQ(set_->consistency(), "filesystem");
    EXPECT_EQ(thaws("/srv/data"), 1U);
    EXPECT_EQ(thaws("/srv/log"), 1U);
    EXPECT_EQ(plugin_->calls->count("disarm"), 0U);
    expect_nothing_left();
}

TEST_F(Set, TakeAnnouncesTheStatesOfTheWindowInOrderButOnlyWhenAllIsThawed) {
    make();
    std::vector<std::string> at_commit;
    plugin_->during_commit = [&] { at_commit = states(); };
    ASSERT_TRUE(run(Step::take));
    EXPECT_THAT(at_commit, ElementsAre("preparing", "prepared"));
    EXPECT_THAT(states(), ElementsAre("preparing", "prepared", "freezing", "frozen", "snapshotting", "snapshotted", "thawing", "thawed", "complete"));
}

TEST_F(Set, ATakeThatFailsAnnouncesTheFailureToo) {
    make();
    plugin_->commit_error = error(ErrorKind::plugin_failed, "pool full");
    ASSERT_FALSE(run(Step::take));
    EXPECT_THAT(states(), ElementsAre("preparing", "prepared", "freezing", "frozen", "snapshotting", "aborting", "failed"));
}

TEST_F(Set, TakeDoesAllAndKeepsTheManifestOnDisk) {
    make();
    const auto result = run(Step::take);
    ASSERT_TRUE(result) << result.error().message();
    const auto manifest = store_->load(set_->id());
    ASSERT_TRUE(manifest) << manifest.error().message();
    EXPECT_EQ(manifest->state, "complete");
    ASSERT_EQ(manifest->members.size(), 2U);
    EXPECT_EQ(manifest->members[0].snapshot, "/srv/data-snapshot");
    EXPECT_EQ(manifest->members[1].provider, "exec");
    EXPECT_TRUE(manifest->window_ms.has_value());
    EXPECT_TRUE(manifest->members[1].hold_ms.has_value());
}

TEST_F(Set, BothKindsAreCutWhileBothFileSystemsAreFrozen) {
    make();
    bool frozen = false;
    plugin_->during_commit = [&] { frozen = world_->frozen("/srv/data") && world_->frozen("/srv/log"); };
    ASSERT_TRUE(run(Step::take));
    EXPECT_TRUE(frozen);
    for (const auto* name : {"/srv/data", "/srv/log"}) {
        EXPECT_LT(world_->position(std::string("freeze ") + name + " = 0"), world_->position("suspend origin"));
        EXPECT_GT(world_->position(std::string("thaw ") + name), world_->position("resume origin = 0"));
    }
}

TEST_F(Set, AStepInTheWrongStateIsRefusedAndChangesNothing) {
    make();
    const auto refused = run(Step::freeze);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::wrong_state);
    EXPECT_EQ(set_->state(), State::created);
    EXPECT_TRUE(run(Step::take)) << "the set is as good as before";
}

TEST_F(Set, AnArmThatFailsGivesUpEveryProvidersSnapshots) {
    make();
    lvm_->arm_error = error(ErrorKind::no_space, "volume group vg has no room");
    const auto result = run(Step::prepare);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::no_space);
    EXPECT_EQ(set_->state(), State::failed);
    EXPECT_THAT(set_->describe().error, HasSubstr("no room"));
    EXPECT_EQ(plugin_->calls->count("disarm"), 1U);
    EXPECT_EQ(lvm_->calls->count("disarm"), 1U);
}

TEST_F(Set, ACommitThatFailsThawsBeforeItUndoes) {
    make();
    plugin_->commit_error = error(ErrorKind::plugin_failed, "pool full");
    bool held_at_disarm = true;
    const auto result = run(Step::take);
    held_at_disarm = !world_->held().empty();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::plugin_failed);
    EXPECT_FALSE(held_at_disarm);
    EXPECT_EQ(lvm_->calls->count("disarm"), 1U);
    EXPECT_EQ(plugin_->calls->count("finish"), 0U);
    EXPECT_EQ(set_->state(), State::failed);
    expect_nothing_left();
}

TEST_F(Set, AFireThatFailsThawsAndFails) {
    make();
    world_->point(SimCall::suspend, "origin").fail(EIO);
    const auto result = run(Step::take);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kernel);
    EXPECT_THAT(result.error().message(), HasSubstr("vg/data"));
    EXPECT_EQ(plugin_->calls->count("disarm"), 1U);
    expect_nothing_left();
}

TEST_F(Set, AForeignFreezeIsNamedAndNotThawed) {
    make();
    world_->freeze_by_somebody_else("/srv/log");
    const auto result = run(Step::take);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::foreign_freeze);
    EXPECT_THAT(result.error().message(), HasSubstr("/srv/log"));
    EXPECT_TRUE(world_->frozen("/srv/log"));
    EXPECT_FALSE(world_->frozen("/srv/data"));
    EXPECT_EQ(thaws("/srv/log"), 0U);
}

TEST_F(Set, AMountThatWasReplacedAfterThePlanIsRefused) {
    make();
    world_->set_identity("/srv/log", {.superblock = {253, 2}, .mount_id = 999});
    const auto result = run(Step::prepare);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::no_such_volume);
    EXPECT_EQ(lvm_->calls->count("disarm"), 1U);
}

TEST_F(Set, TheDeadlineThawsAndFailsASetThatNobodyGoesOnWith) {
    make(std::chrono::milliseconds(150));
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(run(Step::freeze));
    ASSERT_TRUE(wait_for(State::failed));
    EXPECT_THAT(set_->describe().error, HasSubstr("deadline"));
    EXPECT_EQ(lvm_->calls->count("disarm"), 1U);
    expect_nothing_left();
    const auto late = run(Step::snapshot);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::wrong_state);
}

TEST_F(Set, ADeadlineAfterTheLastCutLeavesTheSetConsistent) {
    make(std::chrono::milliseconds(300));
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(run(Step::freeze));
    ASSERT_TRUE(run(Step::snapshot));
    ASSERT_TRUE(wait_for(State::complete));
    EXPECT_EQ(set_->consistency(), "filesystem");
    EXPECT_TRUE(run(Step::thaw)) << "a late Thaw is no error";
    expect_nothing_left();
}

TEST_F(Set, ACommitThatOutlivesTheDeadlineNeverMakesAConsistentSet) {
    make(std::chrono::milliseconds(150));
    plugin_->during_commit = [] { std::this_thread::sleep_for(std::chrono::milliseconds(400)); }; // house-allow(sleep): a slow array
    const auto result = run(Step::take);
    ASSERT_FALSE(result);
    EXPECT_EQ(set_->state(), State::failed);
    EXPECT_EQ(plugin_->calls->count("disarm"), 1U);
    expect_nothing_left();
}

TEST_F(Set, KeepAliveMovesTheDeadline) {
    make(std::chrono::milliseconds(400));
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_FALSE(set_->keep_alive()) << "nothing is frozen yet";
    ASSERT_TRUE(run(Step::freeze));
    for (int i = 0; i < 6; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(150)); // house-allow(sleep): past the first deadline
        ASSERT_TRUE(set_->keep_alive());
    }
    EXPECT_EQ(set_->state(), State::frozen);
    EXPECT_TRUE(run(Step::snapshot));
    EXPECT_TRUE(run(Step::thaw));
}

TEST_F(Set, AbortThawsAtOnceWhileAPluginIsStillBusy) {
    make();
    std::promise<void> committing;
    std::promise<void> release;
    plugin_->during_commit = [&] {
        committing.set_value();
        release.get_future().wait();
    };
    auto taking = start(Step::take);
    committing.get_future().wait();
    auto aborting = start(Step::abort);
    for (int i = 0; i < 2000 && world_->frozen("/srv/data"); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1)); // house-allow(sleep): polls the simulated kernel
    EXPECT_FALSE(world_->frozen("/srv/data")) << "thawed although the commit has not returned";
    release.set_value();
    EXPECT_TRUE(aborting.get());
    const auto taken = taking.get();
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message(), HasSubstr("aborted"));
    EXPECT_EQ(set_->state(), State::failed);
    EXPECT_EQ(plugin_->calls->count("disarm"), 1U);
    expect_nothing_left();
}

TEST_F(Set, AbortWhileArmingNeverFreezes) {
    make();
    std::promise<void> arming;
    std::promise<void> release;
    lvm_->during_arm = [&] {
        arming.set_value();
        release.get_future().wait();
    };
    auto taking = start(Step::take);
    arming.get_future().wait();
    auto aborting = start(Step::abort);
    std::this_thread::sleep_for(std::chrono::milliseconds(20)); // house-allow(sleep): lets the abort be asked for first
    release.set_value();
    EXPECT_FALSE(taking.get());
    EXPECT_TRUE(aborting.get());
    EXPECT_EQ(world_->point(SimCall::freeze, "/srv/data").calls(), 0U);
    EXPECT_EQ(set_->state(), State::failed);
}

TEST_F(Set, AbortEndsTheWritersFreezeThatIsUnderWay) {
    with_writers_ = true;
    writers_hang_ = true;
    make();
    auto taking = start(Step::take);
    for (int i = 0; i < 2000 && writer_calls_.count("freeze before the window") == 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1)); // house-allow(sleep): polls a list
    EXPECT_TRUE(run(Step::abort));
    const auto taken = taking.get();
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message(), HasSubstr("aborted on request"));
    EXPECT_THAT(writer_calls_.all(), ElementsAre("prepare", "freeze before the window", "cancel", "thaw after the window, aborted", "thaw after the window, aborted"));
    EXPECT_EQ(set_->state(), State::failed);
    EXPECT_EQ(world_->point(SimCall::freeze, "/srv/data").calls(), 0U);
}

TEST_F(Set, AFailedUndoIsReportedAndTheOthersStillRun) {
    make();
    plugin_->commit_error = error(ErrorKind::plugin_failed, "pool full");
    lvm_->disarm_error = error(ErrorKind::lvm_failed, "vg/x is in use");
    ASSERT_FALSE(run(Step::take));
    EXPECT_THAT(set_->describe().error, HasSubstr("vg/x is in use"));
    EXPECT_EQ(plugin_->calls->count("disarm"), 1U);
}

TEST_F(Set, WritersFreezeBeforeTheWindowAndThawAfterIt) {
    with_writers_ = true;
    make();
    ASSERT_TRUE(run(Step::take));
    EXPECT_THAT(writer_calls_.all(), ElementsAre("prepare", "freeze before the window", "thaw after the window"));
    const auto manifest = set_->describe();
    EXPECT_EQ(manifest.members.at(0).consistency, "application");
    EXPECT_EQ(manifest.members.at(1).consistency, "filesystem") << "no writer concerns it";
    EXPECT_EQ(manifest.consistency, "filesystem") << "the weakest of the members'";
    ASSERT_EQ(manifest.writers.size(), 1U);
    EXPECT_EQ(manifest.writers[0].records.at("backup_label"), "START WAL LOCATION");
}

TEST_F(Set, WritersThatWerePreparedAreEndedWithTheSet) {
    with_writers_ = true;
    make();
    ASSERT_TRUE(run(Step::prepare));
    EXPECT_THAT(writer_calls_.all(), ElementsAre("prepare"));
    ASSERT_TRUE(run(Step::abort));
    EXPECT_THAT(writer_calls_.all(), Contains("thaw after the window, aborted"));
}

/// A manifest of two members that were frozen well, and what writers make of it.
Manifest judged(const std::vector<WriterReport>& writers) {
    Manifest manifest;
    manifest.consistency = "filesystem";
    for (const char* name : {"/srv/a", "/srv/b"}) {
        manifest.members.emplace_back().volume = name;
        manifest.members.back().consistency = "filesystem";
    }
    report_writers(manifest, writers);
    return manifest;
}

WriterReport writer_of(std::vector<std::string> volumes, bool quiesced = true, bool raises = true) {
    return {.name = "w", .kind = "script", .volumes = std::move(volumes), .quiesced = quiesced, .raises = raises, .error = {}, .freeze_ms = {},
            .thaw_ms = {}, .records = {}};
}

TEST(WriterConsistency, AMemberIsWorthApplicationWhenAllItsWritersWereQuiesced) {
    EXPECT_EQ(judged({writer_of({"/srv/a", "/srv/b"})}).consistency, "application");
    EXPECT_EQ(judged({writer_of({"/srv/a"}), writer_of({"/srv/b"})}).consistency, "application");
    const auto half = judged({writer_of({"/srv/a"}), writer_of({"/srv/a", "/srv/b"}, false)});
    EXPECT_EQ(half.members[0].consistency, "filesystem") << "one of its two writers was not quiesced";
    EXPECT_EQ(half.members[1].consistency, "filesystem");
    EXPECT_EQ(judged({}).consistency, "filesystem");
}

TEST(WriterConsistency, AWriterThatDoesNotRaiseSpoilsNothingAndRaisesNothing) {
    EXPECT_EQ(judged({writer_of({"/srv/a", "/srv/b"}, true, false)}).consistency, "filesystem");
    EXPECT_EQ(judged({writer_of({"/srv/a", "/srv/b"}, true, false), writer_of({"/srv/a", "/srv/b"})}).consistency, "application");
}

TEST(WriterConsistency, WhatWasNotFrozenIsNotRaised) {
    Manifest manifest;
    manifest.consistency = "crash";
    manifest.members.emplace_back().volume = "/srv/a";
    manifest.members.back().consistency = "crash";
    report_writers(manifest, {writer_of({"/srv/a"})});
    EXPECT_EQ(manifest.members[0].consistency, "crash");
    EXPECT_EQ(manifest.consistency, "crash");
}

TEST_F(Set, AWriterThatRefusesFailsTheSetBeforeAnythingIsFrozen) {
    with_writers_ = true;
    writers_refuse_ = true;
    make();
    const auto result = run(Step::take);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::writer_failed);
    EXPECT_EQ(world_->point(SimCall::freeze, "/srv/data").calls(), 0U);
    EXPECT_EQ(lvm_->calls->count("disarm"), 1U);
}

TEST_F(Set, WritersAreThawedAfterTheFileSystemsWhenTheSetFails) {
    with_writers_ = true;
    make();
    plugin_->commit_error = error(ErrorKind::plugin_failed, "pool full");
    ASSERT_FALSE(run(Step::take));
    EXPECT_THAT(writer_calls_.all(), Contains("thaw after the window, aborted"));
}

TEST_F(Set, TheManifestIsOnDiskBeforeTheFirstSnapshotIsMade) {
    make();
    std::string seen;
    lvm_->during_arm = [&] {
        const auto manifest = store_->load(set_->id());
        seen = manifest ? manifest->state : manifest.error().message();
    };
    ASSERT_TRUE(run(Step::prepare));
    EXPECT_EQ(seen, "preparing");
    ASSERT_TRUE(run(Step::abort));
    EXPECT_FALSE(store_->load(set_->id())) << "all was undone: nothing to remember";
}

TEST_F(Set, ASetThatCouldNotBeUndoneStaysOnDiskForTheNextStart) {
    make();
    lvm_->disarm_error = error(ErrorKind::lvm_failed, "vg/x is in use");
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_FALSE(run(Step::abort));
    EXPECT_TRUE(store_->load(set_->id()));
}

TEST_F(Set, DeleteRemovesTheSnapshotsAndTheManifest) {
    make();
    ASSERT_TRUE(run(Step::take));
    ASSERT_TRUE(run(Step::remove));
    EXPECT_EQ(lvm_->calls->count("remove 1"), 1U);
    EXPECT_EQ(plugin_->calls->count("remove 1"), 1U);
    EXPECT_FALSE(store_->load(set_->id()));
}

TEST_F(Set, DeleteKeepsTheManifestWhenASnapshotCouldNotBeRemoved) {
    make();
    ASSERT_TRUE(run(Step::take));
    lvm_->remove_error = error(ErrorKind::busy, "vg/x is mounted");
    EXPECT_FALSE(run(Step::remove));
    EXPECT_TRUE(store_->load(set_->id()));
}

TEST_F(Set, ASetThatGoesAwayWhileFrozenThaws) {
    make();
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(run(Step::freeze));
    set_.reset();
    expect_nothing_left();
    EXPECT_EQ(lvm_->calls->count("disarm"), 1U);
}

} // namespace
} // namespace quiesced
