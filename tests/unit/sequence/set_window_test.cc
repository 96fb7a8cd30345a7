// SPDX-License-Identifier: LGPL-2.1-or-later
// What the options of a set do to its window, and what is left of one that is stuck.
#include "set_fixture.h"

namespace quiesced {
namespace {

constexpr std::chrono::milliseconds kLong = std::chrono::seconds(60);

class SetWindow : public Set {
protected:
    ~SetWindow() override {
        for (const auto* name : {"/srv/data", "/srv/log"}) world_->point(SimCall::freeze, name).open();
    }
    void make_journal(std::uint64_t mount) { journal_ = std::make_shared<FakeJournal>(journal_calls_, *world_, mount); }
    ManifestMember member(std::size_t index) { return set_->describe().members.at(index); }
    FakeCalls journal_calls_;
};

TEST_F(SetWindow, APreparedSetThatNobodyFreezesIsAborted) {
    options_.prepare_limit = std::chrono::milliseconds(50);
    make();
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(wait_for(State::failed));
    EXPECT_THAT(set_->describe().error, HasSubstr("was prepared and not frozen within 50 ms"));
    EXPECT_EQ(lvm_->calls->count("disarm"), 1U);
    expect_nothing_left();
}

TEST_F(SetWindow, TheLimitOfPreparingIsNoneOfTheFrozen) {
    options_.prepare_limit = std::chrono::milliseconds(50);
    make(kLong);
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(run(Step::freeze));
    std::this_thread::sleep_for(std::chrono::milliseconds(120)); // house-allow(sleep): that nothing happens
    EXPECT_EQ(set_->state(), State::frozen);
    ASSERT_TRUE(run(Step::snapshot));
    ASSERT_TRUE(run(Step::thaw));
    EXPECT_TRUE(wait_for(State::complete));
}

TEST_F(SetWindow, WithoutALimitAPreparedSetWaits) {
    options_.prepare_limit = std::chrono::milliseconds(0);
    make();
    ASSERT_TRUE(run(Step::prepare));
    std::this_thread::sleep_for(std::chrono::milliseconds(50)); // house-allow(sleep): that nothing happens
    EXPECT_EQ(set_->state(), State::prepared);
}

TEST_F(SetWindow, AnAcceptedForeignFreezeThatLastsIsAsGoodAsOurs) {
    options_.accept_foreign_freeze = true;
    world_->freeze_by_somebody_else("/srv/log");
    make();
    const auto taken = run(Step::take);
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_EQ(set_->consistency(), "filesystem");
    EXPECT_FALSE(member(0).foreign);
    EXPECT_TRUE(member(1).foreign);
    EXPECT_EQ(member(1).consistency, "filesystem");
    EXPECT_THAT(set_->describe().notes, IsEmpty());
    EXPECT_THAT(member(1).error, "");
    EXPECT_THAT(world_->held(), ElementsAre("/srv/log"));
    EXPECT_EQ(thaws("/srv/log"), 0U);
}

TEST_F(SetWindow, OneThatEndsTooEarlyCostsItsMemberTheConsistencyAndIsNoted) {
    options_.accept_foreign_freeze = true;
    world_->freeze_by_somebody_else("/srv/log");
    plugin_->during_commit = [this] { world_->thaw_by_somebody_else("/srv/log"); };
    make();
    const auto taken = run(Step::take);
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_EQ(set_->consistency(), "crash");
    EXPECT_EQ(member(0).consistency, "filesystem");
    EXPECT_EQ(member(1).consistency, "crash");
    EXPECT_THAT(set_->describe().notes, ElementsAre(HasSubstr("/srv/log was frozen by somebody else, and was not seen to be frozen after the last")));
    expect_nothing_left();
}

TEST_F(SetWindow, NothingIsArmedUnderAForeignFreezeThatItWouldFailBy) {
    lvm_->arms_need_thawed = true;
    for (const bool accepted : {false, true}) {
        options_.accept_foreign_freeze = accepted;
        world_->freeze_by_somebody_else("/srv/data");
        make();
        const auto prepared = run(Step::prepare);
        ASSERT_FALSE(prepared);
        EXPECT_EQ(prepared.error().kind, ErrorKind::foreign_freeze);
        EXPECT_THAT(prepared.error().message(), HasSubstr("/srv/data was already frozen by somebody else, and no snapshot of it can be made"));
        EXPECT_THAT(lvm_->calls->all(), IsEmpty()) << "LVM was called on a frozen origin";
        EXPECT_THAT(world_->held(), ElementsAre("/srv/data"));
        EXPECT_EQ(thaws("/srv/data"), 0U);
        set_.reset();
        world_->thaw_by_somebody_else("/srv/data");
    }
}

TEST_F(SetWindow, ALookForForeignFreezesLeavesAllThawedBeforeTheArm) {
    lvm_->arms_need_thawed = true;
    std::vector<std::string> held{"not called"};
    lvm_->during_arm = [&] { held = world_->held(); };
    make();
    const auto taken = run(Step::take);
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_THAT(held, IsEmpty());
    EXPECT_EQ(thaws("/srv/data"), 2U) << "once by the look, once by the window";
    expect_nothing_left();
}

TEST_F(SetWindow, AForeignFreezeOfAMemberThatTheArmDoesNotTouchIsNoneOfItsBusiness) {
    lvm_->arms_need_thawed = true;
    options_.accept_foreign_freeze = true;
    world_->freeze_by_somebody_else("/srv/log"); // a LUN
    make();
    const auto taken = run(Step::take);
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_EQ(member(1).consistency, "filesystem");
    EXPECT_EQ(thaws("/srv/data"), 2U);
    EXPECT_EQ(thaws("/srv/log"), 0U);
    world_->thaw_by_somebody_else("/srv/log");
    expect_nothing_left();
}

TEST_F(SetWindow, WhereTheArmDoesNotCareNobodyLooks) {
    make();
    ASSERT_TRUE(run(Step::take));
    EXPECT_EQ(thaws("/srv/data"), 1U);
}

TEST_F(SetWindow, AMemberThatHangsFailsTheSetAndIsShownAsStuckUntilItIsBack) {
    options_.member_limit = std::chrono::milliseconds(50);
    world_->point(SimCall::freeze, "/srv/log").close();
    make(kLong);
    const auto taken = run(Step::take);
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message(), HasSubstr("/srv/log did not freeze within its limit of 50 ms"));
    EXPECT_EQ(set_->state(), State::failed);
    EXPECT_THAT(set_->describe().stuck, ElementsAre("/srv/log"));
    EXPECT_THAT(member(1).error, HasSubstr("did not freeze in time"));
    EXPECT_EQ(keeper_.stuck_in({253, 2}), set_->id().text());
    EXPECT_EQ(keeper_.stuck_in({253, 1}), std::nullopt);
    world_->point(SimCall::freeze, "/srv/log").open();
    for (int i = 0; i < 2000 && keeper_.count() != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2)); // house-allow(sleep): polls
    EXPECT_EQ(keeper_.count(), 0U);
    EXPECT_THAT(set_->describe().stuck, IsEmpty());
    expect_nothing_left();
}

TEST_F(SetWindow, TheJournalOnAMemberIsInRunForTheWindow) {
    make_journal(101); // the mount of /srv/data
    make();
    const auto taken = run(Step::take);
    ASSERT_TRUE(taken) << taken.error().message();
    EXPECT_THAT(journal_calls_.all(), ElementsAre("relinquish outside", "flush outside"));
    EXPECT_THAT(set_->describe().notes, IsEmpty());
}

TEST_F(SetWindow, TheJournalOfASetThatFailsComesBackToo) {
    make_journal(101);
    plugin_->commit_error = error(ErrorKind::plugin_failed, "the array said no");
    make();
    EXPECT_FALSE(run(Step::take));
    EXPECT_THAT(journal_calls_.all(), ElementsAre("relinquish outside", "flush outside"));
}

TEST_F(SetWindow, AJournalElsewhereOrOneThatShallStayIsLeftAlone) {
    make_journal(999);
    make();
    EXPECT_TRUE(run(Step::take));
    set_.reset();
    make_journal(101);
    options_.relinquish_journal = false;
    make();
    EXPECT_TRUE(run(Step::take));
    EXPECT_THAT(journal_calls_.all(), IsEmpty());
}

TEST_F(SetWindow, AJournalThatCannotBeMovedIsNotedAndFailsNothing) {
    make_journal(102);
    journal_->refuse = true;
    make();
    EXPECT_TRUE(run(Step::take));
    EXPECT_THAT(set_->describe().notes, ElementsAre(HasSubstr("not moved to /run for the window: journald said no"),
                                                    HasSubstr("stays in /run until journalctl --flush")));
    EXPECT_EQ(set_->consistency(), "filesystem");
}

} // namespace
} // namespace quiesced
