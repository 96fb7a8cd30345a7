// SPDX-License-Identifier: LGPL-2.1-or-later
// The real quiescectl on a private bus, against a daemon whose answers the test makes up.
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/file.h"
#include "bus_fixture.h"
#include "org.quiesced1.Manager.adaptor.h"
#include "org.quiesced1.SnapshotSet.adaptor.h"
#include "program.h"
#include "snapshot/manifest.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kSet = "6560000000000001";

/// Answers with what it is given, and keeps what it was asked for.
class FakeManager final : public sdbus::AdaptorInterfaces<org::quiesced1::Manager_adaptor> {
public:
    explicit FakeManager(sdbus::IConnection& connection) : AdaptorInterfaces(connection, sdbus::ObjectPath("/org/quiesced1")) { registerAdaptor(); }
    ~FakeManager() { unregisterAdaptor(); }

    std::vector<Dict> volumes;
    Dict plan;
    std::vector<std::string> asked;
    std::uint32_t sample_ms = 0;
    Dict wishes;

private:
    void ListVolumes(sdbus::Result<std::vector<Dict>>&& result, Dict) override { result.returnResults(volumes); }
    void MatchDisks(sdbus::Result<std::vector<Dict>>&& result, std::vector<Dict>, Dict) override { result.returnResults({}); }
    void CreateSet(sdbus::Result<sdbus::ObjectPath>&& result, std::vector<std::string> names, Dict options) override {
        asked = std::move(names);
        wishes = std::move(options);
        result.returnResults(sdbus::ObjectPath(std::string("/org/quiesced1/set/") + kSet));
    }
    void Plan(sdbus::Result<Dict>&& result, std::vector<std::string> names, Dict options) override {
        asked = std::move(names);
        sample_ms = options.at("sample_ms").get<std::uint32_t>();
        result.returnResults(plan);
    }
    void ListSets(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict) override { result.returnResults({}); }
    void ListLeases(sdbus::Result<std::vector<Dict>>&& result, Dict) override { result.returnResults({}); }
    void ListPlugins(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict) override { result.returnResults({}); }
    void ListWriters(sdbus::Result<std::vector<Dict>>&& result, Dict) override { result.returnResults({}); }
    void ListJobs(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict) override { result.returnResults({}); }
    void Reload(sdbus::Result<>&& result, Dict) override { result.returnResults(); }
    std::string Version() override { return "1"; }
};

class FakeSet final : public sdbus::AdaptorInterfaces<org::quiesced1::SnapshotSet_adaptor> {
public:
    FakeSet(sdbus::IConnection& connection, const std::string& id) : AdaptorInterfaces(connection, sdbus::ObjectPath("/org/quiesced1/set/" + id)) { registerAdaptor(); }
    ~FakeSet() { unregisterAdaptor(); }

    std::string manifest;
    std::vector<std::string> calls;
    bool refuses = false;

private:
    void answer(const char* what, sdbus::Result<>&& result) {
        calls.emplace_back(what);
        if (refuses) result.returnError(sdbus::Error(BusErrorName("org.quiesced1.Error.WrongState"), "it is not frozen"));
        else result.returnResults();
    }
    void Prepare(sdbus::Result<>&& result, Dict) override { answer("Prepare", std::move(result)); }
    void Freeze(sdbus::Result<>&& result, Dict) override { answer("Freeze", std::move(result)); }
    void Snapshot(sdbus::Result<>&& result, Dict) override { answer("Snapshot", std::move(result)); }
    void Thaw(sdbus::Result<>&& result, Dict) override { answer("Thaw", std::move(result)); }
    void Finish(sdbus::Result<>&& result, Dict) override { answer("Finish", std::move(result)); }
    void Take(sdbus::Result<std::string>&& result, Dict) override { result.returnResults(manifest); }
    void Map(sdbus::Result<std::string>&& result, Dict) override { result.returnResults(manifest); }
    void Revert(sdbus::Result<std::string>&& result, std::vector<std::string>, Dict) override { result.returnResults(manifest); }
    void StartRevert(sdbus::Result<sdbus::ObjectPath>&& result, std::vector<std::string>, Dict) override { result.returnResults(sdbus::ObjectPath("/")); }
    void ReportHostSnapshot(sdbus::Result<>&& result, std::string, std::string, Dict) override { answer("ReportHostSnapshot", std::move(result)); }
    void Abort(sdbus::Result<>&& result, Dict) override { answer("Abort", std::move(result)); }
    void KeepAlive(sdbus::Result<std::uint32_t>&& result, Dict) override { result.returnResults(0U); }
    void Hold(sdbus::Result<sdbus::UnixFd>&& result, Dict) override { result.returnResults(sdbus::UnixFd()); }
    void Describe(sdbus::Result<std::string>&& result, Dict) override { result.returnResults(manifest); }
    void Delete(sdbus::Result<>&& result, Dict) override { answer("Delete", std::move(result)); }
    std::string Id() override { return {}; }
    std::string State() override { return {}; }
    std::vector<std::string> Volumes() override { return {}; }
    std::string Consistency() override { return {}; }
};

template <typename T>
sdbus::Variant variant(T value) {
    return sdbus::Variant(std::move(value));
}

class Quiescectl : public testing::Test {
protected:
    Quiescectl() {
        folder_ = work_folder() + "/ctl";
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        bus_ = std::make_unique<PrivateBus>(folder_);
        connection_ = open_bus(bus_->address());
        connection_->requestName(BusServiceName(kService));
        manager_ = std::make_unique<FakeManager>(*connection_);
        set_ = std::make_unique<FakeSet>(*connection_, kSet);
        connection_->enterEventLoopAsync();
    }
    ~Quiescectl() override {
        connection_->leaveEventLoop();
        set_.reset();
        manager_.reset();
        connection_.reset();
        bus_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    ChildOutcome ctl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {QUIESCECTL_BUILT, "--address", bus_->address()});
        auto outcome = run_child(arguments);
        EXPECT_TRUE(outcome);
        return outcome.value_or(ChildOutcome());
    }
    void keep_times() {
        Manifest manifest;
        manifest.id = kSet;
        manifest.state = "complete";
        manifest.window_ms = 5;
        ManifestMember member;
        member.volume = "/srv/data";
        member.file_system = "ext4";
        member.placement = "lun";
        member.flush_ms = 20;
        member.freeze_ms = 1;
        member.frozen_at_ms = 1;
        member.hold_ms = 3;
        member.thaw_ms = 0.5;
        manifest.members.push_back(member);
        manifest.timeline.push_back({.what = "commit exec", .start_ms = 1, .length_ms = 2});
        set_->manifest = manifest_to_json(manifest);
    }

    std::string folder_;
    std::unique_ptr<PrivateBus> bus_;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<FakeManager> manager_;
    std::unique_ptr<FakeSet> set_;
};

TEST_F(Quiescectl, JsonIsWhatTheDaemonSaysWhateverTheTypes) {
    using Pairs = std::vector<sdbus::Struct<std::string, std::string>>;
    manager_->volumes = {{{"name", variant(std::string("/größe \"\\\n\x1b"))},
                          {"size", variant(std::numeric_limits<std::uint64_t>::max())},
                          {"least", variant(std::numeric_limits<std::int64_t>::min())},
                          {"byte", variant(std::uint8_t{255})},
                          {"short", variant(std::int16_t{-3})},
                          {"word", variant(std::uint16_t{65535})},
                          {"int", variant(std::int32_t{-7})},
                          {"uint", variant(std::uint32_t{7})},
                          {"double", variant(0.25)},
                          {"flag", variant(true)},
                          {"path", variant(sdbus::ObjectPath("/a/b"))},
                          {"signature", variant(sdbus::Signature("a{sv}"))},
                          {"list", variant(std::vector<std::string>{"a", "b"})},
                          {"none", variant(std::vector<std::string>{})},
                          {"lists", variant(std::vector<std::vector<std::string>>{{"a"}, {}})},
                          {"pairs", variant(Pairs{{"a", "b"}, {"c", "d"}})},
                          {"numbered", variant(std::map<std::uint32_t, std::string>{{1, "one"}})},
                          {"nothing", variant(Dict{})},
                          {"deep", variant(std::vector<Dict>{{{"in", variant(Dict{{"x", variant(variant(std::string("y")))}})}}})}}};
    const auto answer = ctl({"volumes", "--all", "--json"});
    EXPECT_EQ(answer.exit_status, 0) << answer.errors;
    const Json expected = Json::array({{{"name", "/größe \"\\\n\x1b"},
                                        {"size", std::numeric_limits<std::uint64_t>::max()},
                                        {"least", std::numeric_limits<std::int64_t>::min()},
                                        {"byte", 255},
                                        {"short", -3},
                                        {"word", 65535},
                                        {"int", -7},
                                        {"uint", 7},
                                        {"double", 0.25},
                                        {"flag", true},
                                        {"path", "/a/b"},
                                        {"signature", "a{sv}"},
                                        {"list", Json::array({"a", "b"})},
                                        {"none", Json::array()},
                                        {"lists", Json::array({Json::array({"a"}), Json::array()})},
                                        {"pairs", Json::array({Json::array({"a", "b"}), Json::array({"c", "d"})})},
                                        {"numbered", {{"1", "one"}}},
                                        {"nothing", Json::object()},
                                        {"deep", Json::array({{{"in", {{"x", "y"}}}}})}}});
    EXPECT_EQ(Json::parse(answer.output, nullptr, false), expected) << answer.output;
}

TEST_F(Quiescectl, VolumesAreATableForPeople) {
    manager_->volumes = {{{"name", variant(std::string("/srv/中文\x1b[2J\n"))},
                          {"placement", variant(std::string("lun"))},
                          {"file_system", variant(std::string("xfs"))},
                          {"size", variant(std::uint64_t{3} << 30U)},
                          {"disks", variant(std::vector<std::string>{"sda", "sdb"})},
                          {"process", variant(std::string("nginx (812)"))},
                          {"mount_points", variant(std::vector<std::string>{"/srv/a", "/srv/b"})}},
                         {{"name", variant(std::string("/proc"))}, {"placement", variant(std::string("none"))}}};
    EXPECT_EQ(ctl({"volumes"}).output, "NAME                  PLACEMENT  FSTYPE     SIZE  DISKS  MOUNTPOINTS\n"
                                       "/srv/中文\\x1b[2J\\x0a  lun        xfs     3.0 GiB  sda    /srv/a\n"
                                       "                                                  sdb    /srv/b\n");
    EXPECT_EQ(ctl({"volumes", "-o", "process,disks"}).output, "PROCESS      DISKS\nnginx (812)  sda\n             sdb\n");
    EXPECT_EQ(Json::parse(ctl({"volumes", "--json", "--output", "SIZE"}).output), Json::array({{{"size", std::uint64_t{3} << 30U}}}));
    EXPECT_THAT(ctl({"volumes", "--all"}).output, HasSubstr("/proc"));
    EXPECT_THAT(ctl({"--color=always", "volumes"}).output, HasSubstr("\x1b[36mlun"));
    EXPECT_THAT(ctl({"volumes"}).output, Not(HasSubstr("\x1b"))) << "a pipe is no terminal";
    const auto unknown = ctl({"volumes", "-o", "COLOUR"});
    EXPECT_EQ(unknown.exit_status, 2);
    EXPECT_THAT(unknown.errors, HasSubstr("there is no column 'COLOUR'"));
    const auto help = run_child({QUIESCECTL_BUILT, "--bus", "unix:path=/nowhere", "volumes", "--output", "help"});
    ASSERT_TRUE(help);
    EXPECT_EQ(help->exit_status, 0) << "needs no daemon";
    EXPECT_THAT(help->output, HasSubstr("EVIDENCE "));
}

TEST_F(Quiescectl, APlanIsShownAndItsVerdictIsTheExitCode) {
    const Dict member{{"name", variant(std::string("/srv/data"))}, {"error", variant(std::string())}, {"provider", variant(std::string("lvm"))}};
    manager_->plan = {{"feasible", variant(true)},
                      {"members", variant(std::vector<Dict>{member})},
                      {"levels", variant(std::vector<std::vector<std::string>>{{"/srv/data"}})}};
    const auto feasible = ctl({"plan", "--sample", "0", "/srv/data", "UUID=1"});
    EXPECT_EQ(feasible.exit_status, 0) << feasible.errors;
    EXPECT_THAT(feasible.output, AllOf(HasSubstr("A set of 1 volume can be taken."), HasSubstr("    1  /srv/data")));
    EXPECT_THAT(manager_->asked, ElementsAre("/srv/data", "UUID=1"));
    EXPECT_EQ(manager_->sample_ms, 0U);

    manager_->plan["feasible"] = variant(false);
    const auto refused = ctl({"plan", "--json"});
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_EQ(Json::parse(refused.output).at("members").at(0).at("provider"), "lvm");
    EXPECT_THAT(manager_->asked, ElementsAre());
    EXPECT_EQ(manager_->sample_ms, 1000U);
    EXPECT_EQ(ctl({"plan", "--sample", "10001"}).exit_status, 2);
}

TEST_F(Quiescectl, ATimelineShowsEachFileSystem) {
    keep_times();
    const auto shown = ctl({"timeline", kSet});
    EXPECT_EQ(shown.exit_status, 0) << shown.errors;
    EXPECT_THAT(shown.output, AllOf(HasSubstr("WINDOW"), HasSubstr("VOLUME     FSTYPE    FLUSH   FREEZE     HOLD    THAW\n"
                                                                   "/srv/data  ext4    20.0 ms  1.00 ms  3.00 ms  500 us\n")));
    set_->manifest = R"({"id": "x", "state": "prepared"})";
    EXPECT_THAT(ctl({"timeline", kSet}).output, HasSubstr("This set has no times yet: it is prepared."));
    EXPECT_EQ(ctl({"timeline", "6560000000000009"}).exit_status, 1);
}

#ifdef QUIESCED_DRAW_BUILT
TEST_F(Quiescectl, DrawingsGoIntoAFileOrToStandardOutput) {
    keep_times();
    const auto file = folder_ + "/timeline.svg";
    const std::vector<std::string> drawn{"--draw-program", QUIESCED_DRAW_BUILT, "--svg"};
    const auto with = [&](std::vector<std::string> command, const std::string& where) {
        command.insert(command.end(), drawn.begin(), drawn.end());
        command.push_back(where);
        return ctl(command);
    };
    EXPECT_EQ(with({"timeline", kSet}, file).output, "");
    const auto svg = read_file(file);
    ASSERT_TRUE(svg);
    EXPECT_THAT(*svg, AllOf(HasSubstr("<svg"), HasSubstr("/srv/data: held, 3.00 ms"), HasSubstr("</svg>")));
    EXPECT_EQ(with({"timeline", kSet}, "-").output, *svg);

    const Dict node{{"id", variant(std::string("8:0"))}, {"label", variant(std::string("/dev/sda"))}, {"kind", variant(std::string("disk"))}, {"placement", variant(std::string("lun"))}};
    manager_->plan = {{"feasible", variant(true)}, {"graph", variant(Dict{{"nodes", variant(std::vector<Dict>{node})}})}};
    EXPECT_THAT(with({"plan"}, "-").output, AllOf(HasSubstr("<svg"), HasSubstr("/dev/sda")));
    manager_->plan.erase("graph");
    std::filesystem::remove(file);
    const auto failed = with({"plan"}, file);
    EXPECT_EQ(failed.exit_status, 1);
    EXPECT_THAT(failed.errors, HasSubstr("the plan has no graph"));
    EXPECT_FALSE(std::filesystem::exists(file)) << "nothing half-done is left";
}
#endif

TEST_F(Quiescectl, WithoutTheDrawingProgramItSaysWhatBringsIt) {
    keep_times();
    const auto failed = ctl({"timeline", kSet, "--svg", folder_ + "/x.svg", "--draw-program", "/nowhere/quiesced-draw"});
    EXPECT_EQ(failed.exit_status, 1);
    EXPECT_THAT(failed.errors, AllOf(HasSubstr("/nowhere/quiesced-draw"), HasSubstr("-Ddraw=enabled"), HasSubstr("libgvc6")));
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/x.svg"));
}

TEST_F(Quiescectl, ThawAndAbortReachEverySet) {
    EXPECT_EQ(ctl({"thaw", kSet}).output, "Set 6560000000000001 is thawed.\n");
    const auto aborted = ctl({"abort", "6560000000000009", kSet});
    EXPECT_EQ(aborted.exit_status, 1);
    EXPECT_THAT(aborted.errors, HasSubstr("there is no snapshot set '6560000000000009'"));
    EXPECT_EQ(aborted.output, "Set 6560000000000001 is aborted.\n") << "goes on after one that is not there";
    EXPECT_THAT(set_->calls, ElementsAre("Thaw", "Abort"));
    set_->refuses = true;
    EXPECT_THAT(ctl({"thaw", kSet}).errors, AllOf(HasSubstr("it is not frozen"), HasSubstr("WrongState")));
    EXPECT_EQ(ctl({"thaw"}).exit_status, 2);
    EXPECT_EQ(ctl({"thaw", kSet, "--emergency"}).exit_status, 2);
}

TEST_F(Quiescectl, WhatIsWishedOfASetReachesTheDaemonAndNothingElse) {
    keep_times();
    EXPECT_EQ(ctl({"snapshot", "--json", "/srv/data"}).output, set_->manifest);
    EXPECT_THAT(manager_->asked, ElementsAre("/srv/data"));
    EXPECT_EQ(manager_->wishes.size(), 2U);
    EXPECT_TRUE(manager_->wishes.at("bind").get<bool>());
    EXPECT_EQ(manager_->wishes.at("deadline_ms").get<std::uint32_t>(), 10000U);
    EXPECT_EQ(ctl({"snapshot", "--deadline", "500", "--member-limit", "50", "--accept-foreign-freeze", "--keep-journal", "/a", "/b"}).exit_status, 0);
    EXPECT_EQ(manager_->wishes.at("deadline_ms").get<std::uint32_t>(), 500U);
    EXPECT_EQ(manager_->wishes.at("member_limit_ms").get<std::uint32_t>(), 50U);
    EXPECT_EQ(manager_->wishes.at("foreign_freeze").get<std::string>(), "accept");
    EXPECT_FALSE(manager_->wishes.at("relinquish_journal").get<bool>());
}

TEST_F(Quiescectl, AnEmergencyNeedsNoBus) {
    const auto thawed = run_child({QUIESCECTL_BUILT, "--bus", "unix:path=/nowhere", "thaw", "--emergency", "--daemon-program", "/bin/echo"});
    ASSERT_TRUE(thawed);
    EXPECT_EQ(thawed->output, "--recover --emergency\n");
    const auto failed = run_child({QUIESCECTL_BUILT, "thaw", "--emergency", "--daemon-program", "/nowhere/quiesced"});
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->exit_status, 1);
    EXPECT_THAT(failed->errors, AllOf(HasSubstr("cannot run /nowhere/quiesced"), HasSubstr("SysRq-j")));
}

} // namespace
} // namespace quiesced
