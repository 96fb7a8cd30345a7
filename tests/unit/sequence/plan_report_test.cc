// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/plan_report.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

#include "sequence_fixture.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

Error some_error(ErrorKind kind, const std::string& context) {
    return {.kind = kind, .error_number = 0, .context = context, .advice = {}, .undone = {}};
}

class ListedWriters : public Writers {
public:
    explicit ListedWriters(Result<WriterList> list) : list_(std::move(list)) {}
    Result<std::size_t> freeze(const WriterContext& /*context*/) override {
        ADD_FAILURE() << "a plan ran the writers";
        return 0U;
    }
    std::vector<std::string> thaw(const WriterContext& /*context*/) override { return {}; }
    void cancel() override {}
    [[nodiscard]] std::vector<std::string> notes() const override { return {}; }
    [[nodiscard]] Result<WriterList> list(const std::vector<std::string>& volumes, const Inventory& /*inventory*/) const override {
        EXPECT_FALSE(volumes.empty());
        return list_;
    }

private:
    Result<WriterList> list_;
};

class PlanOfASet : public testing::Test {
protected:
    ~PlanOfASet() override {
        EXPECT_THAT(lvm_->calls->all(), IsEmpty()) << "a plan touched something";
        EXPECT_THAT(plugin_->calls->all(), IsEmpty()) << "a plan touched something";
    }
    PlanReport plan(const std::vector<std::string>& names, milliseconds sample = milliseconds(0)) {
        sources_.inventory = std::make_shared<const Inventory>(guest_.inventory());
        sources_.providers = {plugin_, lvm_};
        auto report = make_plan_report(names, sources_, {.sample = sample});
        EXPECT_TRUE(report) << report.error().message();
        return std::move(*report);
    }
    SpaceNeed need(const std::string& name) {
        SpaceNeed space;
        space.kind = "volume-group";
        space.name = name;
        return space;
    }
    static std::vector<std::string> names(const std::vector<PlannedVolume>& volumes) {
        std::vector<std::string> all;
        for (const auto& volume : volumes) all.push_back(volume.volume.name);
        return all;
    }
    static std::vector<std::string> names(const std::vector<ReportedMember>& members) {
        std::vector<std::string> all;
        for (const auto& member : members) all.push_back(member.planned.volume.name);
        return all;
    }

    TestGuest guest_;
    PlanSources sources_;
    std::shared_ptr<FakeProvider> plugin_ = std::make_shared<FakeProvider>("exec", Placement::lun);
    std::shared_ptr<FakeProvider> lvm_ = std::make_shared<FakeProvider>("lvm", Placement::virtual_disk);
};

TEST_F(PlanOfASet, AGroupThatHasRoomForEachProviderAndNotForAllOfThemIsTooSmall) {
    guest_.lv("/srv/data", 1);
    guest_.lun("/srv/log", 2);
    for (auto* provider : {lvm_.get(), plugin_.get()}) {
        auto space = need("vg");
        space.needed = Bytes{60};
        space.free = Bytes{100};
        provider->estimate.space = {space};
    }
    const auto report = plan({"/srv/log", "/srv/data"});
    EXPECT_FALSE(report.feasible);
    ASSERT_EQ(report.space.size(), 2U);
    for (const auto& space : report.space) EXPECT_THAT(space.need.refusal->message(), HasSubstr("vg has no room"));
}

TEST_F(PlanOfASet, EachMemberSaysWhoTakesItAndWhyTheOthersDoNot) {
    guest_.lv("/srv/data", 1);
    guest_.lun("/srv/log", 2);
    const auto report = plan({"/srv/log", "/srv/data"});
    EXPECT_TRUE(report.feasible);
    ASSERT_THAT(names(report.members), ElementsAre("/srv/log", "/srv/data"));
    const auto& log = report.members[0].planned;
    EXPECT_EQ(log.provider->name(), "exec");
    EXPECT_EQ(log.reason, "it is of its kind");
    ASSERT_EQ(log.refusals.size(), 1U);
    EXPECT_EQ(log.refusals[0].provider, "lvm");
    EXPECT_EQ(log.refusals[0].reason, "not asked, because exec takes it");
    const auto& data = report.members[1].planned;
    ASSERT_EQ(data.refusals.size(), 1U);
    EXPECT_EQ(data.refusals[0].provider, "exec");
    EXPECT_EQ(data.refusals[0].reason, "it is of another kind");
    ASSERT_EQ(report.providers.size(), 2U);
    EXPECT_THAT(report.providers[0].volumes, ElementsAre("/srv/log"));
    EXPECT_THAT(report.providers[1].volumes, ElementsAre("/srv/data"));
    EXPECT_THAT(report.levels, ElementsAre(ElementsAre("/srv/log", "/srv/data")));
}

TEST_F(PlanOfASet, AVolumeWithoutAProviderIsAMemberWithAnErrorAndTheOthersStay) {
    guest_.lv("/srv/data", 1);
    guest_.lun("/srv/log", 2);
    plugin_->claims = false;
    const auto report = plan({"/srv/log", "/srv/data", "/nowhere", "/srv/data"});
    EXPECT_FALSE(report.feasible);
    ASSERT_THAT(names(report.members), ElementsAre("/srv/log", "/srv/data", "/nowhere", "/srv/data"));
    EXPECT_EQ(report.members[0].planned.error->kind, ErrorKind::no_provider);
    EXPECT_FALSE(report.members[1].planned.error);
    EXPECT_EQ(report.members[2].planned.error->kind, ErrorKind::no_such_volume);
    EXPECT_EQ(report.members[3].planned.error->kind, ErrorKind::duplicate_volume);
    EXPECT_THAT(report.levels, ElementsAre(ElementsAre("/srv/data")));
    EXPECT_THAT(report.skipped, IsEmpty());
}

TEST_F(PlanOfASet, APluginThatCannotBeAskedCostsItsOwnVolumesOnly) {
    guest_.lv("/srv/data", 1);
    guest_.lun("/srv/log", 2);
    plugin_->claim_error = some_error(ErrorKind::plugin_failed, "array unreachable");
    const auto report = plan({"/srv/log", "/srv/data"});
    EXPECT_EQ(report.members[0].planned.error->kind, ErrorKind::plugin_failed);
    EXPECT_THAT(report.members[0].planned.refusals.at(0).reason, HasSubstr("array unreachable"));
    EXPECT_THAT(report.members[0].planned.refusals.at(1).reason, HasSubstr("not asked"));
    EXPECT_EQ(report.members[1].planned.provider, lvm_);
}

TEST_F(PlanOfASet, WithoutNamesAllThatCanBeMembersAreAndTheRestIsSkippedWithAReason) {
    guest_.lv("/srv/data", 1);
    guest_.loop("/srv/data/inner", 7, 1);
    guest_.lv("", 2);
    guest_.tmpfs("/run/scratch");
    const auto report = plan({});
    EXPECT_TRUE(report.feasible);
    EXPECT_THAT(names(report.members), ElementsAre("/srv/data"));
    EXPECT_THAT(report.members[0].carries, ElementsAre("/srv/data/inner"));
    EXPECT_THAT(names(report.carried), ElementsAre("/srv/data/inner"));
    EXPECT_EQ(report.carried[0].inside, "/srv/data");
    EXPECT_THAT(report.levels, ElementsAre(ElementsAre("/srv/data/inner"), ElementsAre("/srv/data")));
    ASSERT_THAT(names(report.skipped), ElementsAre("/dev/mapper/vg-2", "/run/scratch"));
    EXPECT_EQ(report.skipped[0].error->kind, ErrorKind::not_mounted);
    EXPECT_EQ(report.skipped[1].error->kind, ErrorKind::unsupported);
}

TEST_F(PlanOfASet, AGuestWithoutAnythingToTakeIsNotFeasible) {
    guest_.tmpfs("/run/scratch");
    const auto report = plan({});
    EXPECT_FALSE(report.feasible);
    EXPECT_THAT(report.members, IsEmpty());
}

TEST_F(PlanOfASet, SpaceThatIsMissingMakesItInfeasible) {
    guest_.lv("/srv/data", 1);
    lvm_->estimate.space = {need("vg")};
    auto report = plan({"/srv/data"});
    EXPECT_TRUE(report.feasible);
    ASSERT_EQ(report.space.size(), 1U);
    EXPECT_EQ(report.space[0].provider, "lvm");
    lvm_->estimate.space[0].refusal = some_error(ErrorKind::no_space, "too small");
    report = plan({"/srv/data"});
    EXPECT_FALSE(report.feasible);
    lvm_->estimate_error = some_error(ErrorKind::busy, "a snapshot is being merged");
    report = plan({"/srv/data"});
    EXPECT_FALSE(report.feasible);
    EXPECT_THAT(report.providers[1].error->message(), HasSubstr("merged"));
}

TEST_F(PlanOfASet, WritersAreListedAndNotRun) {
    guest_.lv("/srv/data", 1);
    sources_.writers = std::make_unique<ListedWriters>(WriterList{.writers = {{.name = "10-db", .kind = "script", .path = "/hooks/10-db", .volumes = {}}}, .left_out = {"x"}});
    auto report = plan({"/srv/data"});
    EXPECT_TRUE(report.feasible);
    EXPECT_EQ(report.writers.writers.at(0).name, "10-db");
    EXPECT_THAT(report.writers.left_out, ElementsAre("x"));
    sources_.writers = std::make_unique<ListedWriters>(tl::unexpected<Error>(some_error(ErrorKind::access_denied, "writable by others")));
    report = plan({"/srv/data"});
    EXPECT_FALSE(report.feasible);
    EXPECT_TRUE(report.writers_error);
}

TEST_F(PlanOfASet, WhatAnUnfinishedSetHasIsBusy) {
    guest_.lv("/srv/data", 1);
    guest_.lv("/srv/other", 2);
    sources_.held = [](const Volume& volume) -> std::optional<Error> {
        if (volume.name != "/srv/data") return std::nullopt;
        return some_error(ErrorKind::busy, "in a set");
    };
    const auto report = plan({"/srv/data", "/srv/other"});
    EXPECT_FALSE(report.feasible);
    EXPECT_EQ(report.members[0].planned.error->kind, ErrorKind::busy);
    EXPECT_FALSE(report.members[1].planned.error);
    EXPECT_THAT(report.levels, ElementsAre(ElementsAre("/srv/other")));
    EXPECT_THAT(report.providers[1].volumes, ElementsAre("/srv/other")) << "the room for it is not asked for";
}

TEST_F(PlanOfASet, AStopEndsTheSample) {
    guest_.lv("/srv/data", 1);
    sources_.inventory = std::make_shared<const Inventory>(guest_.inventory());
    sources_.providers = {lvm_};
    std::stop_source stop;
    std::jthread stopper([&stop] { stop.request_stop(); });
    const auto begin = Monotonic::now();
    const auto report = make_plan_report({}, sources_, {.sample = std::chrono::hours(1)}, stop.get_token());
    ASSERT_TRUE(report);
    EXPECT_LT(Monotonic::now() - begin, std::chrono::seconds(30));
}

TEST_F(PlanOfASet, MoreThan256NamesAreRefusedAsForASet) {
    const auto report = make_plan_report(std::vector<std::string>(257, "/srv/data"), sources_, {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, ErrorKind::invalid_argument);
}

TEST_F(PlanOfASet, Beyond256CandidatesTheOthersAreSkipped) {
    for (std::uint32_t i = 1; i <= 258; ++i) guest_.lv("/srv/" + std::to_string(i), i);
    const auto report = plan({});
    EXPECT_TRUE(report.feasible);
    EXPECT_EQ(report.members.size(), 256U);
    ASSERT_EQ(report.skipped.size(), 2U);
    EXPECT_EQ(report.skipped[0].error->kind, ErrorKind::limit);
}

TEST_F(PlanOfASet, ADeviceBelowSeveralIsDrawnOnceAndOneBelowItselfDoesNotDrawForEver) {
    guest_.lv("/srv/data", 1);
    guest_.lv("/srv/other", 2);
    guest_.lv("", 3);
    guest_.stack(1, 3);
    guest_.stack(2, 3);
    guest_.stack(3, 3);
    const auto report = plan({"/srv/data", "/srv/other"});
    SetPlan members{.members = {report.members[0].planned, report.members[1].planned}, .carried = {}, .inventory = report.inventory};
    for (auto& member : members.members) member.error.reset();
    const auto graph = make_plan_graph(members);
    std::vector<std::string> ids;
    for (const auto& node : graph.nodes) ids.push_back(node.id);
    EXPECT_THAT(ids, testing::UnorderedElementsAre("volume 253:1 /srv/data", "volume 253:2 /srv/other", "253:1", "253:2", "253:3"));
    EXPECT_EQ(graph.edges.size(), 5U);
}

TEST_F(PlanOfASet, TheGraphLeadsFromTheVolumesToTheDisksEachOnce) {
    guest_.lv("/srv/data", 1);
    guest_.loop("/srv/data/inner", 7, 1);
    const auto graph = plan({"/srv/data"}).graph;
    std::vector<std::pair<std::string, bool>> kinds;
    for (const auto& node : graph.nodes) kinds.emplace_back(node.kind, node.member);
    EXPECT_THAT(kinds, ElementsAre(Pair("volume", true), Pair("device-mapper", false), Pair("volume", false), Pair("loop", false), Pair("file", false)));
    EXPECT_THAT(graph.edges, ElementsAre(Pair("volume 253:1 /srv/data", "253:1"), Pair("volume 253:7 /srv/data/inner", "253:7"),
                                         Pair("253:7", "file of 253:7"), Pair("file of 253:7", "volume 253:1 /srv/data")));
    for (const auto& [upper, lower] : graph.edges)
        for (const auto& id : {upper, lower})
            EXPECT_EQ(std::count_if(graph.nodes.begin(), graph.nodes.end(), [&id](const PlanNode& node) { return node.id == id; }), 1) << id;
}

} // namespace
} // namespace quiesced
