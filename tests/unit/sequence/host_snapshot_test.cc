// SPDX-License-Identifier: LGPL-2.1-or-later
#include "set_fixture.h"

namespace quiesced {
namespace {

/// "/srv/data" is left to the host, "/srv/log" is a plugin's.
class HostSnapshot : public Set {
protected:
    HostSnapshot() { options_.providers = {{"/srv/data", "host"}}; }
    void go_to_frozen() {
        make();
        ASSERT_TRUE(run(Step::prepare));
        ASSERT_TRUE(run(Step::freeze));
    }
    Result<void> report(const std::string& reference = "snap-1") { return set_->report_host_snapshot("/srv/data", reference); }
};

TEST_F(HostSnapshot, ReportedWhileFrozenIsAsGoodAsTheOthers) {
    go_to_frozen();
    ASSERT_TRUE(report());
    EXPECT_EQ(set_->describe().members[0].snapshot, "snap-1") << "at once";
    for (const auto step : {Step::snapshot, Step::thaw, Step::finish}) ASSERT_TRUE(run(step));
    const auto manifest = set_->describe();
    EXPECT_EQ(manifest.consistency, "filesystem");
    EXPECT_EQ(manifest.members[0].consistency, "filesystem");
    EXPECT_EQ(manifest.members[0].provider, "host");
    EXPECT_EQ(manifest.members[0].snapshot, "snap-1");
    EXPECT_EQ(lvm_->calls->count("arm"), 0U) << "nobody else takes it";
    expect_nothing_left();
}

TEST_F(HostSnapshot, MayBeReportedAfterTheOthersAreCutAndTheLastWordCounts) {
    go_to_frozen();
    ASSERT_TRUE(report("snap-1"));
    ASSERT_TRUE(run(Step::snapshot));
    ASSERT_TRUE(report("snap-2"));
    ASSERT_TRUE(run(Step::thaw));
    ASSERT_TRUE(run(Step::finish));
    EXPECT_EQ(store_->load(set_->id())->members[0].snapshot, "snap-2");
    EXPECT_EQ(set_->consistency(), "filesystem");
}

TEST_F(HostSnapshot, NotReportedByThawIsUnreportedAndSpoilsNothingElse) {
    go_to_frozen();
    for (const auto step : {Step::snapshot, Step::thaw, Step::finish}) ASSERT_TRUE(run(step));
    const auto late = report();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::wrong_state);
    const auto manifest = set_->describe();
    EXPECT_EQ(manifest.state, "complete");
    EXPECT_EQ(manifest.consistency, "unreported");
    EXPECT_EQ(manifest.members[0].consistency, "unreported");
    EXPECT_EQ(manifest.members[1].consistency, "filesystem");
}

TEST_F(HostSnapshot, QuiescedWritersDoNotMakeUpForAReportThatIsMissing) {
    with_writers_ = true;
    go_to_frozen();
    for (const auto step : {Step::snapshot, Step::thaw, Step::finish}) ASSERT_TRUE(run(step));
    EXPECT_EQ(set_->describe().members[0].consistency, "unreported");
    EXPECT_EQ(set_->describe().members[1].consistency, "filesystem") << "no writer of it";
    EXPECT_EQ(set_->consistency(), "unreported");
}

TEST_F(HostSnapshot, CannotBeReportedBeforeEverythingIsFrozen) {
    make();
    ASSERT_TRUE(run(Step::prepare));
    const auto early = report();
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().kind, ErrorKind::wrong_state);
    EXPECT_THAT(early.error().message(), HasSubstr("prepared"));
}

TEST_F(HostSnapshot, OfAMemberThatIsNotTheHostsIsRefused) {
    go_to_frozen();
    for (const auto* name : {"/srv/log", "/srv/nothing"}) {
        const auto refused = set_->report_host_snapshot(name, "snap");
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error().kind, ErrorKind::no_such_volume);
    }
    for (const auto& reference : {std::string(), std::string(1025, 'x')}) {
        const auto refused = report(reference);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument);
    }
    EXPECT_TRUE(report(std::string(1024, 'x')));
}

TEST_F(HostSnapshot, ASetWithOneCannotBeTakenInOneGo) {
    make();
    const auto refused = run(Step::take);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::wrong_state);
    EXPECT_THAT(refused.error().message(), HasSubstr("/srv/data"));
    EXPECT_EQ(set_->state(), State::created) << "it is as good as before";
}

TEST_F(HostSnapshot, ReportedAfterTheDeadlineHasThawedIsNone) {
    make(std::chrono::milliseconds(150));
    ASSERT_TRUE(run(Step::prepare));
    ASSERT_TRUE(run(Step::freeze));
    ASSERT_TRUE(run(Step::snapshot));
    // The deadline passes, and with it the set goes on to its end by itself.
    ASSERT_TRUE(wait_for(State::complete));
    EXPECT_FALSE(report());
    EXPECT_EQ(set_->consistency(), "unreported");
}

TEST(HostReports, OnlyThoseOfTheFrozenTimeCount) {
    FreezePlan plan;
    plan.set = "0123456789abcdef";
    for (const auto* name : {"/a", "/b"}) {
        auto& member = plan.members.emplace_back();
        member.name = name;
    }
    const auto path = std::filesystem::temp_directory_path() / ("quiesced-host-reports-" + std::to_string(::getpid()));
    auto record = Record::create(path.string(), plan);
    std::filesystem::remove(path);
    ASSERT_TRUE(record) << record.error().message();
    const auto slots = record->members();
    slots[0].freeze_ended = 100;
    slots[1].freeze_ended = 200;
    slots[0].thaw_started = 500;
    slots[1].thaw_started = 400;
    const auto settled = [&record = *record](std::int64_t when) {
        HostReports reports;
        reports.add("/a", "snap", Monotonic::time_point(std::chrono::nanoseconds(when)));
        const auto cuts = reports.settle(record).size();
        Manifest manifest;
        manifest.consistency = "filesystem";
        auto& member = manifest.members.emplace_back();
        member.volume = "/a";
        member.provider = "host";
        member.consistency = "filesystem";
        reports.apply(manifest);
        EXPECT_EQ(manifest.consistency == "filesystem", cuts == 1);
        EXPECT_EQ(manifest.members[0].snapshot, cuts == 1 ? "snap" : "");
        return cuts == 1;
    };
    EXPECT_FALSE(settled(199)) << "/b was not frozen yet";
    EXPECT_TRUE(settled(200));
    EXPECT_TRUE(settled(400));
    EXPECT_FALSE(settled(401)) << "/b was thawed";
}

} // namespace
} // namespace quiesced
