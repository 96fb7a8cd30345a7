// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>

#include "writers_fixture.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeclaredWriters : public WritersFixture {};

TEST_F(DeclaredWriters, FreezeAfterTheHooksByTheirOrderAndThawInReverse) {
    logging("10-hook");
    declare_logging("late", "order = 90\n");
    declare_logging("early", "order = 10\n");
    declare_logging("middle", "");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_TRUE(frozen) << frozen.error().message();
    EXPECT_EQ(*frozen, 4U);
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_EQ(log(), "10-hook freeze\nearly freeze\nmiddle freeze\nlate freeze\nlate thaw\nmiddle thaw\nearly thaw\n10-hook thaw\n");
}

TEST_F(DeclaredWriters, OfTheSameOrderRunSideBySide) {
    // Each waits for the other: one after another they would only end by their limit.
    declare_logging("one", "order = 5\n", "touch $here/one.$1; while ! test -e $here/two.$1; do sleep 0.01; done");
    declare_logging("two", "order = 5\n", "touch $here/two.$1; while ! test -e $here/one.$1; do sleep 0.01; done");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_TRUE(frozen) << frozen.error().message();
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_THAT(sorted_log(), ElementsAre("one freeze", "one thaw", "two freeze", "two thaw"));
}

TEST_F(DeclaredWriters, TenOfTheSameOrderThatTakeATenthOfASecondRunSideBySide) {
    // Each goes on when all have begun: fewer at once, and all would be killed by their limit.
    for (int i = 0; i < 10; ++i)
        declare_logging("w" + std::to_string(i), "limit = 10s\n", "touch $here/begun.$1.$$\nwhile [ $(ls $here | grep -c ^begun.$1) -lt 10 ]; do sleep 0.01; done\nsleep 0.1");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_TRUE(frozen) << frozen.error().message();
    EXPECT_EQ(*frozen, 10U);
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    for (const auto& report : writers->report()) EXPECT_TRUE(report.quiesced) << report.name;
}

TEST_F(DeclaredWriters, OnlyThoseRunThatConcernAMember) {
    std::filesystem::create_directory(root_ + "/a/data");
    std::filesystem::create_symlink(root_ + "/a/data", root_ + "/b/link");
    declare_logging("on-a", "volumes = " + root_ + "/a/data\n");
    declare_logging("by-a-link", "volumes = " + root_ + "/b/link\n");
    declare_logging("on-both", "volumes = " + root_ + "/a " + root_ + "/b\n");
    declare_logging("elsewhere", "volumes = " + root_ + "/elsewhere\n");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    std::map<std::string, std::vector<std::string>> concerns;
    for (const auto& report : writers->report()) concerns[report.name] = report.volumes;
    const std::map<std::string, std::vector<std::string>> expected{
        {"on-a", {root_ + "/a"}}, {"by-a-link", {root_ + "/a"}}, {"on-both", {root_ + "/a", root_ + "/b"}}};
    EXPECT_EQ(concerns, expected);
}

TEST_F(DeclaredWriters, APathThatIsNotThereIsRefusedByName) {
    declare_logging("lost", "volumes = " + root_ + "/gone\n");
    const auto writers = make();
    const auto prepared = writers->prepare(context_, inventory());
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().kind, ErrorKind::no_such_volume);
    EXPECT_THAT(prepared.error().message(), AllOf(HasSubstr("the writer lost"), HasSubstr(root_ + "/gone")));
}

TEST_F(DeclaredWriters, OneThatMayFailIsThawedAtOnceAndTheSetGoesOn) {
    declare_logging("first", "order = 1\n");
    declare_logging("fails", "order = 2\non_failure = continue\n", "test $1 = thaw || { echo no licence >&2; exit 1; }");
    declare_logging("last", "order = 3\n");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_TRUE(frozen) << frozen.error().message();
    EXPECT_EQ(*frozen, 2U);
    EXPECT_EQ(log(), "first freeze\nfails freeze\nfails thaw\nlast freeze\n");
    EXPECT_THAT(writers->notes(), ElementsAre(AllOf(HasSubstr("goes on without the writer fails"), HasSubstr("no licence"))));
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    const auto report = writers->report();
    ASSERT_EQ(report.size(), 3U);
    EXPECT_TRUE(report[0].quiesced);
    EXPECT_FALSE(report[1].quiesced);
    EXPECT_THAT(report[1].error, HasSubstr("no licence"));
    EXPECT_TRUE(report[2].quiesced);
}

TEST_F(DeclaredWriters, AFailureInAGroupThawsTheWholeGroupAndThoseBefore) {
    declare_logging("before", "order = 1\n");
    declare_logging("fails", "order = 2\n", "test $1 = thaw || exit 7");
    declare_logging("beside", "order = 2\n");
    declare_logging("after", "order = 3\n");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_FALSE(frozen);
    EXPECT_THAT(frozen.error().message(), HasSubstr("exit status 7"));
    EXPECT_THAT(sorted_log(), ElementsAre("before freeze", "before thaw", "beside freeze", "beside thaw", "fails freeze", "fails thaw"));
}

TEST_F(DeclaredWriters, AThawThatFailsLeavesTheWriterNotQuiesced) {
    declare_logging("good", "");
    declare_logging("lost", "", "test $1 = freeze || exit 1");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_THAT(writers->thaw(context_), ElementsAre(HasSubstr("failed to thaw")));
    for (const auto& report : writers->report()) EXPECT_EQ(report.quiesced, report.name == "good");
}

TEST_F(DeclaredWriters, ItsOwnLimitKillsIt) {
    declare_logging("hangs", "limit = 300ms\n", "test $1 = thaw || sleep 1000");
    const auto writers = make();
    const auto start = Monotonic::now();
    const auto frozen = freeze(*writers);
    ASSERT_FALSE(frozen);
    EXPECT_EQ(frozen.error().kind, ErrorKind::deadline);
    EXPECT_LT(Monotonic::now() - start, milliseconds(10000));
}

TEST_F(DeclaredWriters, AFileThatOthersMayWriteKeepsAllFromRunning) {
    declare_logging("good", "");
    declare_logging("open", "");
    ::chmod((writers_ + "/open.conf").c_str(), 0666);
    const auto writers = make();
    const auto prepared = writers->prepare(context_, inventory());
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().kind, ErrorKind::access_denied);
    EXPECT_THAT(prepared.error().message(), HasSubstr(writers_ + "/open.conf is writable by others"));
    EXPECT_EQ(log(), "");
}

TEST_F(DeclaredWriters, AProgramThatOthersMayWriteIsRefusedByName) {
    declare_logging("open", "");
    ::chmod((root_ + "/open").c_str(), 0775);
    const auto writers = make();
    const auto prepared = writers->prepare(context_, inventory());
    ASSERT_FALSE(prepared);
    EXPECT_THAT(prepared.error().message(), AllOf(HasSubstr("open.conf"), HasSubstr(root_ + "/open is writable by its group")));
}

TEST_F(DeclaredWriters, WhatPackageManagersLeaveIsIgnored) {
    declare_logging("good", "");
    std::ofstream(writers_ + "/old.conf.dpkg-old") << "nonsense";
    std::ofstream(writers_ + "/README") << "nonsense";
    std::ofstream(writers_ + "/.hidden.conf") << "nonsense";
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_EQ(log(), "good freeze\n");
}

TEST_F(DeclaredWriters, AreListedWithWhatTheyConcernWithoutRunning) {
    logging("10-hook");
    declare_logging("on-b", "volumes = " + root_ + "/b\n");
    units_->active["app.service"] = "active";
    declare("unit", "type = unit\nunit = app.service\norder = 60\n");
    const auto listed = make()->list(context_.volumes, inventory());
    ASSERT_TRUE(listed) << listed.error().message();
    ASSERT_EQ(listed->writers.size(), 3U);
    EXPECT_EQ(listed->writers[0].path, hooks_ + "/10-hook");
    EXPECT_THAT(listed->writers[1].volumes, ElementsAre(root_ + "/b"));
    EXPECT_EQ(listed->writers[2].kind, "unit");
    EXPECT_EQ(listed->writers[2].path, "app.service");
    EXPECT_EQ(log(), "");
    EXPECT_THAT(units_->calls, IsEmpty());
}

TEST_F(DeclaredWriters, AUnitIsFrozenAndThawedAndDoesNotRaise) {
    units_->active["app.service"] = "active";
    declare("app", "type = unit\nunit = app.service\n");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_THAT(units_->calls, ElementsAre("freeze app.service", "thaw app.service"));
    ASSERT_EQ(writers->report().size(), 1U);
    EXPECT_TRUE(writers->report()[0].quiesced);
    EXPECT_FALSE(writers->report()[0].raises) << "what it had in memory is not on the disk";
}

TEST_F(DeclaredWriters, AUnitThatIsStoppedIsStartedAgainAndRaises) {
    units_->active["app.service"] = "active";
    declare("app", "type = unit\nunit = app.service\nmethod = stop\n");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_THAT(units_->calls, ElementsAre("stop app.service", "start app.service"));
    EXPECT_TRUE(writers->report()[0].raises);
}

TEST_F(DeclaredWriters, AUnitThatDoesNotRunIsNotStarted) {
    units_->active["app.service"] = "inactive";
    declare("app", "type = unit\nunit = app.service\nmethod = stop\n");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_THAT(units_->calls, IsEmpty());
}

TEST_F(DeclaredWriters, AUnitThatSomebodyElseFrozeIsRefusedAndNotThawed) {
    units_->active["app.service"] = "active";
    units_->freezer["app.service"] = "frozen";
    declare("app", "type = unit\nunit = app.service\n");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_FALSE(frozen);
    EXPECT_EQ(frozen.error().kind, ErrorKind::busy);
    EXPECT_THAT(units_->calls, IsEmpty());
}

TEST_F(DeclaredWriters, AUnitThatSomebodyElseThawedWasNotHeld) {
    units_->active["app.service"] = "active";
    declare("app", "type = unit\nunit = app.service\n");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    units_->freezer["app.service"] = "running";
    EXPECT_THAT(writers->thaw(context_), ElementsAre(HasSubstr("somebody else had thawed")));
    EXPECT_FALSE(writers->report()[0].quiesced);
}

TEST_F(DeclaredWriters, AUnitWhoseFreezeFailedIsThawed) {
    units_->active["app.service"] = "active";
    units_->refuse = "freeze app.service";
    declare("app", "type = unit\nunit = app.service\n");
    const auto writers = make();
    ASSERT_FALSE(freeze(*writers));
    EXPECT_THAT(units_->calls, ElementsAre("freeze app.service", "thaw app.service"));
}

TEST_F(DeclaredWriters, ARecordIsThereWhileTheyAreFrozenAndTheirDaemonsIsLeftAlone) {
    declare_logging("db", "");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_TRUE(has_record());
    const auto recovered = recover_writers(root_ + "/run", *units_);
    ASSERT_TRUE(recovered) << recovered.error().message();
    EXPECT_THAT(*recovered, IsEmpty());
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_FALSE(has_record());
    EXPECT_EQ(log(), "db freeze\ndb thaw\n");
}

TEST_F(DeclaredWriters, ALostDaemonsAreThawedInReverseByTheRecord) {
    declare_logging("first", "order = 1\n", "echo \"$QUIESCED_ABORTED\" > $here/aborted");
    declare("app", "type = unit\nunit = app.service\norder = 2\nmethod = stop\n");
    units_->active["app.service"] = "active";
    const auto path = root_ + "/run/" + context_.set + ".writers";
    std::string record;
    {
        const auto writers = make();
        ASSERT_TRUE(freeze(*writers));
        record = read_file(path).value();
    }
    // What a daemon that was killed would have left.
    std::filesystem::remove(root_ + "/log");
    units_->calls.clear();
    std::ofstream(path) << record;
    const auto recovered = recover_writers(root_ + "/run", *units_);
    ASSERT_TRUE(recovered) << recovered.error().message();
    ASSERT_EQ(recovered->size(), 1U);
    EXPECT_EQ(recovered->front().set, context_.set);
    EXPECT_THAT(recovered->front().thawed, ElementsAre("app", "first"));
    EXPECT_THAT(recovered->front().failed, IsEmpty());
    EXPECT_EQ(log(), "first thaw\n");
    EXPECT_EQ(content("aborted"), "1\n");
    EXPECT_THAT(units_->calls, ElementsAre("start app.service"));
    EXPECT_FALSE(has_record()) << "it would be thawed twice";
}

TEST_F(DeclaredWriters, ARecordThatIsNoneIsToldOfAndGone) {
    std::filesystem::create_directory(root_ + "/run");
    std::ofstream(root_ + "/run/" + context_.set + ".writers") << "garbage";
    const auto recovered = recover_writers(root_ + "/run", *units_);
    ASSERT_TRUE(recovered);
    ASSERT_EQ(recovered->size(), 1U);
    EXPECT_THAT(recovered->front().failed, ElementsAre(HasSubstr("no record of writers")));
    EXPECT_FALSE(has_record());
}

} // namespace
} // namespace quiesced
