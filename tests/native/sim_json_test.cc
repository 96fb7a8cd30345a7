// SPDX-License-Identifier: LGPL-2.1-or-later
// Every command of quiescectl has --json: one value on standard output, complaints as objects on standard error.
#include <fstream>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "sim_fixture.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

class JsonOutput : public Simulated {
protected:
    Ran ctl(std::vector<std::string> words) {
        words.insert(words.begin(), {QUIESCECTL_BUILT, "--address", bus_->address()});
        words.emplace_back("--json");
        return run_to_end(words);
    }
    /// Of a command that succeeds.
    Json done(std::vector<std::string> words) {
        const auto ran = ctl(std::move(words));
        EXPECT_EQ(ran.status, 0) << ran.errors;
        EXPECT_TRUE(Json::accept(ran.output)) << ran.output;
        return Json::parse(ran.output, nullptr, false);
    }
    std::string take() { return done({"snapshot", "/srv/data"}).at("id").get<std::string>(); }
};

TEST_F(JsonOutput, LooksAnswerWithAList) {
    start();
    take();
    for (const auto* command : {"volumes", "sets", "show", "plugins", "writers", "jobs", "leases"}) EXPECT_TRUE(done({command}).is_array()) << command;
    EXPECT_TRUE(done({"plan", "--sample", "0", "/srv/data"}).is_object());
}

TEST_F(JsonOutput, ATimelineIsTheManifest) {
    start();
    const auto set = take();
    EXPECT_TRUE(done({"timeline", set}).at("timeline").is_array());
    EXPECT_EQ(done({"show", set}).at("id"), set);
}

TEST_F(JsonOutput, DeedsNameEachSet) {
    start();
    const auto set = take();
    const auto gone = ctl({"delete", "6560000000000009", set});
    EXPECT_EQ(gone.status, 1) << "the first one is not there";
    const auto list = Json::parse(gone.output);
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].at("error"), "org.quiesced1.Error.NoSuchSet");
    EXPECT_EQ(list[1], (Json{{"set", set}, {"done", "deleted"}}));
    const auto complaint = Json::parse(gone.errors);
    EXPECT_EQ(complaint.at("error"), "org.quiesced1.Error.NoSuchSet");
    EXPECT_EQ(complaint.at("exit_code"), 1);
    EXPECT_THAT(complaint.at("message").get<std::string>(), HasSubstr("there is no snapshot set"));
}

TEST_F(JsonOutput, PruneSaysWhichAndWhy) {
    start();
    const auto set = take();
    take();
    const auto would = done({"prune", "--keep", "1", "--dry-run"});
    ASSERT_EQ(would.size(), 1U);
    EXPECT_EQ(would[0].at("set"), set);
    EXPECT_FALSE(would[0].contains("done"));
    EXPECT_EQ(done({"prune", "--keep", "1"}).at(0).at("done"), "deleted");
}

TEST_F(JsonOutput, HoldSaysHowLong) {
    start();
    EXPECT_GE(done({"hold", "--for", "0.1", "/srv/data"}).at("held_ms").get<double>(), 100.0);
}

TEST_F(JsonOutput, ReloadAndHooksAnswerToo) {
    start();
    EXPECT_EQ(done({"reload"}).at("done"), "reloaded");
    const auto hooks = done({"hook", "status", "--root", folder_});
    ASSERT_TRUE(hooks.is_array());
    EXPECT_FALSE(hooks.at(0).at("installed").get<bool>());
    EXPECT_EQ(hooks.at(0).at("files").at(0).at("state"), "missing");
}

TEST_F(JsonOutput, ThawAbortAndUmountNameEachSet) {
    start();
    SetClient set(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/data"}, {}));
    for (const auto step : {&SetClient::Prepare, &SetClient::Freeze, &SetClient::Snapshot}) (set.*step)({});
    EXPECT_EQ(done({"thaw", set.Id()}), (Json::array({{{"set", set.Id()}, {"done", "thawed"}}})));
    set.Finish({});
    EXPECT_EQ(done({"umount", set.Id()}), (Json::array({{{"set", set.Id()}, {"paths", Json::array()}}})));
    SetClient other(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/lun"}, {}));
    EXPECT_EQ(done({"abort", other.Id()}), (Json::array({{{"set", other.Id()}, {"done", "aborted"}}})));
    // A simulated snapshot has no device.
    const auto refused = ctl({"mount", set.Id(), folder_});
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(refused.output, "");
    EXPECT_THAT(Json::parse(refused.errors).at("message").get<std::string>(), HasSubstr("/srv/data"));
}

TEST_F(JsonOutput, AGuestToolsCallsSayWhichSetTheyHold) {
    start();
    std::ofstream(folder_ + "/hook.conf") << "[hook]\nvolumes = /srv/data\nin_guest = /srv/data\n";
    const auto hook = [&](const char* step) { return done({"hook", step, "qemu-ga", "--config", folder_ + "/hook.conf", "--run-directory", folder_ + "/run"}); };
    const auto frozen = hook("freeze");
    EXPECT_EQ(frozen.at("tool"), "qemu-ga");
    EXPECT_EQ(frozen.at("done"), "frozen");
    EXPECT_EQ(hook("thaw"), (Json{{"tool", "qemu-ga"}, {"set", frozen.at("set")}, {"done", "thawed"}}));
    EXPECT_EQ(hook("thaw").at("done"), "nothing");
    EXPECT_EQ(hook("freeze").at("done"), "frozen");
    EXPECT_EQ(hook("abort").at("done"), "aborted");
}

TEST_F(JsonOutput, TheDoctorAnswersWithAListOfChecksWhateverIsWrong) {
    start();
    const auto examined = ctl({"doctor", "--root", folder_});
    EXPECT_EQ(examined.status, 1) << "there is no installation below that folder";
    std::map<std::string, std::string> health;
    for (const auto& finding : Json::parse(examined.output)) health[finding.at("check").get<std::string>()] = finding.at("health").get<std::string>();
    for (const auto* check : {"files", "unit", "bus", "polkit", "freeze"}) EXPECT_TRUE(health.contains(check)) << check;
    EXPECT_EQ(health["files"], "bad");
    EXPECT_EQ(health["bus"], "hint") << "a simulation serves it";
}

TEST_F(JsonOutput, ADaemonThatIsAwayIsAnObjectAndStatus3) {
    const auto ran = ctl({"volumes"});
    EXPECT_EQ(ran.status, 3);
    EXPECT_EQ(ran.output, "");
    EXPECT_EQ(Json::parse(ran.errors).at("exit_code"), 3);
}

TEST_F(JsonOutput, EveryCommandThatHelpNamesHasTheOption) {
    const auto help = run_to_end({QUIESCECTL_BUILT, "--help"}).output;
    std::istringstream lines(help.substr(help.find("Subcommands:")));
    int commands = 0;
    for (std::string text; std::getline(lines, text);) {
        if (!text.starts_with("  ") || text[2] == ' ') continue;
        EXPECT_THAT(run_to_end({QUIESCECTL_BUILT, text.substr(2, text.find(' ', 2) - 2), "--help"}).output, HasSubstr("--json")) << text;
        ++commands;
    }
    EXPECT_GE(commands, 12);
}

} // namespace
} // namespace quiesced
