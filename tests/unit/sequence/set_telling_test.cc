// SPDX-License-Identifier: LGPL-2.1-or-later
// What a set tells beside its states.
#include "set_fixture.h"

namespace quiesced {
namespace {

/// Keeps what is told, each with what was frozen at that moment.
class Telling : public Set {
protected:
    Telling() {
        telling_.progress = [this](const SetId& /*set*/, const SetProgress& progress) {
            told_.add(std::string(progress.step) + " " + progress.member + " " + std::to_string(progress.done) + "/" + std::to_string(progress.total) + frozen());
        };
        telling_.note = [this](const SetId& set, const std::string& sentence) { told_.add(set.text() + ": " + sentence + frozen()); };
    }
    std::string frozen() { return world_->held().empty() ? "" : ", frozen"; }
    FakeCalls told_;
};

TEST_F(Telling, ProgressNamesEachMemberOutsideTheWindow) {
    make();
    ASSERT_TRUE(run(Step::take));
    const auto told = told_.all();
    ASSERT_EQ(told.size(), 6U) << testing::PrintToString(told);
    // The two providers work side by side.
    EXPECT_THAT((std::vector(told.begin(), told.begin() + 2)), testing::UnorderedElementsAre(HasSubstr("arm /srv/data "), HasSubstr("arm /srv/log ")));
    EXPECT_THAT((std::vector(told.begin(), told.begin() + 2)), testing::UnorderedElementsAre(HasSubstr(" 1/2"), HasSubstr(" 2/2")));
    EXPECT_THAT((std::vector(told.begin() + 2, told.begin() + 4)), ElementsAre("cut /srv/data 1/2", "cut /srv/log 2/2"));
    EXPECT_THAT(told, Contains(HasSubstr("confirm /srv/data")));
    EXPECT_THAT(told, Contains(HasSubstr("confirm /srv/log")));
    EXPECT_THAT(told, testing::Not(Contains(HasSubstr("frozen"))));
}

TEST_F(Telling, AMemberThatIsNotArmedIsNotTold) {
    make();
    lvm_->arm_error = error(ErrorKind::no_space, "volume group vg has no room");
    ASSERT_FALSE(run(Step::prepare));
    EXPECT_THAT(told_.all(), ElementsAre("arm /srv/log 1/2"));
}

TEST_F(Telling, ALongFlushTellsWhatIsWritten) {
    // The first of them is written when the second one still has to be waited for.
    auto& last = world_->point(SimCall::sync, "/srv/log");
    last.close();
    make();
    ASSERT_TRUE(run(Step::prepare));
    auto freezing = start(Step::freeze);
    for (int i = 0; i < 5000 && told_.count("flush /srv/data 1/2") == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2)); // house-allow(sleep): polls a list
    EXPECT_EQ(told_.count("flush /srv/data 1/2"), 1U);
    last.open();
    ASSERT_TRUE(freezing.get());
    EXPECT_EQ(told_.count("flush /srv/log 2/2"), 0U) << "the window comes next";
    ASSERT_TRUE(run(Step::snapshot));
    ASSERT_TRUE(run(Step::thaw));
}

TEST_F(Telling, ANoteOfTheFreezeIsToldWhenAllIsThawed) {
    journal_ = std::make_shared<FakeJournal>(writer_calls_, *world_, 101);
    journal_->refuse = true;
    make();
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(run(Step::freeze));
    EXPECT_THAT(told_.all(), testing::Not(Contains(HasSubstr("journald said no"))));
    ASSERT_TRUE(run(Step::snapshot));
    ASSERT_TRUE(run(Step::thaw));
    ASSERT_TRUE(run(Step::finish));
    EXPECT_THAT(told_.all(), Contains(testing::AllOf(HasSubstr("6560000000000001: "), HasSubstr("journald said no"), testing::Not(HasSubstr("frozen")))));
}

TEST_F(Telling, ANoteOfASetThatIsGivenUpIsToldToo) {
    journal_ = std::make_shared<FakeJournal>(writer_calls_, *world_, 101);
    journal_->refuse = true;
    make();
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(run(Step::freeze));
    ASSERT_TRUE(run(Step::abort));
    EXPECT_THAT(told_.all(), Contains(HasSubstr("journald said no")));
}

} // namespace
} // namespace quiesced
