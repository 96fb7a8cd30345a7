// SPDX-License-Identifier: LGPL-2.1-or-later
// The real quiescectl with the real daemon over a simulated guest.
#include <signal.h>

#include <chrono>
#include <fstream>
#include <regex>
#include <thread>

#include <nlohmann/json.hpp>

#include "sim_fixture.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Dict kNone;

class Ctl : public Simulated {
protected:
    std::vector<std::string> line(std::vector<std::string> words) {
        words.insert(words.begin(), {QUIESCECTL_BUILT, "--address", bus_->address()});
        return words;
    }
    Ran ctl(std::vector<std::string> words) { return run_to_end(line(std::move(words))); }
    std::unique_ptr<Program> background(std::vector<std::string> words) { return std::make_unique<Program>(line(std::move(words)), folder_ + "/ctl.log"); }
    static bool says(const Program& program, const std::string& text) {
        for (int i = 0; i < 2000; ++i) {
            if (program.output().find(text) != std::string::npos) return true;
            std::this_thread::sleep_for(milliseconds(5)); // house-allow(sleep): polls a log
        }
        return false;
    }
    std::vector<Dict> leases() { return ManagerClient(*requestor_).ListLeases(kNone); }
    /// As bash itself would complete the last of these words.
    Ran complete(const std::string& words) {
        return run_to_end({"bash", "--norc", "-c",
                           "source \"$1\" && COMP_WORDS=(" + words + ") && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _quiescectl && printf '%s\\n' \"${COMPREPLY[@]}\"",
                           "bash", BASH_COMPLETION});
    }
};

TEST_F(Ctl, LeasesListsWhoHoldsVolumes) {
    start();
    EXPECT_THAT(ctl({"leases"}).output, HasSubstr("Nobody holds a volume"));
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
    const auto listed = ctl({"leases"});
    EXPECT_EQ(listed.status, 0) << listed.errors;
    EXPECT_THAT(listed.output, AllOf(HasSubstr(path.substr(path.rfind('/') + 1)), HasSubstr("new")));
    const auto json = Json::parse(ctl({"leases", "--json"}).output);
    EXPECT_EQ(json.at(0).at("set"), path);
}

TEST_F(Ctl, HoldThawsAfterItsTimeAndLeavesNoSet) {
    start();
    // Much longer than the deadline: it is moved meanwhile.
    const auto held = ctl({"hold", "--for", "2", "--deadline", "1000", "/srv/data", "/srv/lun"});
    EXPECT_EQ(held.status, 0) << held.errors;
    EXPECT_THAT(held.errors, AllOf(HasSubstr(": frozen"), HasSubstr("no snapshot was taken")));
    EXPECT_THAT(leases(), IsEmpty());
}

TEST_F(Ctl, HoldCanEndInASnapshotSet) {
    start();
    const auto held = ctl({"hold", "--for", "0.1", "--snapshot", "--json", "/srv/data", "/srv/lun"});
    EXPECT_EQ(held.status, 0) << held.errors;
    const auto manifest = Json::parse(held.output);
    EXPECT_EQ(manifest.at("state"), "complete");
    EXPECT_EQ(manifest.at("consistency"), "filesystem");
    EXPECT_GE(manifest.at("window_ms").get<double>(), 100.0);
}

TEST_F(Ctl, HoldThawsOnASignalAndWhenItIsKilled) {
    start();
    for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
        std::filesystem::remove(folder_ + "/ctl.log");
        const auto hold = background({"hold", "--for", "600", "/srv/data"});
        ASSERT_TRUE(says(*hold, ": frozen")) << hold->output();
        EXPECT_EQ(leases().at(0).at("state").get<std::string>(), "frozen");
        hold->signal(signal);
        EXPECT_EQ(hold->wait(std::chrono::seconds(20)), signal == SIGKILL ? 128 + SIGKILL : 0) << hold->output();
        for (int i = 0; i < 2000 && !leases().empty(); ++i) std::this_thread::sleep_for(milliseconds(5)); // house-allow(sleep): polls a list
        EXPECT_THAT(leases(), IsEmpty()) << "signal " << signal;
    }
}

TEST_F(Ctl, HoldSaysWhenItsSetIsTakenAway) {
    start();
    const auto hold = background({"hold", "--for", "600", "--deadline", "300", "/srv/data"});
    ASSERT_TRUE(says(*hold, ": frozen")) << hold->output();
    SetClient(*requestor_, leases().at(0).at("set").get<sdbus::ObjectPath>()).Abort(kNone);
    EXPECT_EQ(hold->wait(std::chrono::seconds(20)), 1);
    EXPECT_THAT(hold->output(), HasSubstr("(org.quiesced1.Error."));
}

TEST_F(Ctl, WatchTellsWhatHappens) {
    start();
    const auto watch = background({"watch", "--json"});
    // Nothing tells that it listens: sets are made until it hears of one.
    for (int i = 0; i < 100 && watch->output().find("\"added\"") == std::string::npos; ++i) {
        SetClient set(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone));
        set.Take(kNone);
        set.Delete(kNone);
    }
    for (const auto* text : {"\"what\":\"added\"", "\"state\":\"frozen\"", "\"step\":\"cut\"", "\"state\":\"complete\"", "\"what\":\"removed\""}) EXPECT_TRUE(says(*watch, text)) << text;
    daemon_->signal(SIGTERM);
    EXPECT_TRUE(says(*watch, "\"what\":\"ended\""));
    std::istringstream lines(watch->output());
    for (std::string text; std::getline(lines, text);) EXPECT_TRUE(Json::accept(text)) << text;
}

TEST_F(Ctl, ReloadIsRefusedWhileSomebodyHoldsAVolume) {
    start();
    EXPECT_EQ(ctl({"reload"}).status, 0);
    ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
    const auto refused = ctl({"reload"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.errors, AllOf(HasSubstr("Try again when it is finished"), HasSubstr("(org.quiesced1.Error.Busy)")));
}

TEST_F(Ctl, OnePlaceAtATime) {
    EXPECT_EQ(ctl({"-H", "somewhere", "show"}).status, 2);
    EXPECT_EQ(run_to_end({QUIESCECTL_BUILT, "-H", "a", "-M", "b", "show"}).status, 2);
    EXPECT_EQ(run_to_end({QUIESCECTL_BUILT, "-M", "no/name", "show"}).status, 2);
}

TEST_F(Ctl, BashCompletesCommandsOptionsAndChoices) {
    EXPECT_EQ(complete("quiescectl sna").output, "snapshot\n");
    EXPECT_THAT(complete("quiescectl --address x --color n").output, HasSubstr("never\n"));
    EXPECT_EQ(complete("quiescectl -H host snapshot --dead").output, "--deadline\n");
    EXPECT_EQ(complete("quiescectl leases --j").output, "--json\n");
    EXPECT_EQ(complete("quiescectl completion").output, "\n") << "that one is for the build";
    // Every command that --help names.
    const auto help = run_to_end({QUIESCECTL_BUILT, "--help"}).output;
    std::istringstream lines(help.substr(help.find("Subcommands:")));
    int commands = 0;
    for (std::string text; std::getline(lines, text);) {
        if (!text.starts_with("  ") || text[2] == ' ') continue;
        const auto name = text.substr(2, text.find(' ', 2) - 2);
        EXPECT_THAT(complete("quiescectl " + name).output, HasSubstr(name + "\n"));
        ++commands;
    }
    EXPECT_GE(commands, 12);
}

TEST_F(Ctl, EveryCommandIsThereAndInItsManual) {
    std::stringstream manual;
    manual << std::ifstream(QUIESCED_SOURCE_ROOT "/man/quiescectl.1").rdbuf();
    for (const auto* command : {"volumes", "plan", "match", "snapshot", "hold", "thaw", "abort", "sets", "show", "timeline", "mount", "umount", "diff", "delete", "prune", "revert",
                                "jobs", "cancel", "plugins", "writers", "leases", "watch", "reload", "doctor", "hook"}) {
        EXPECT_EQ(run_to_end({QUIESCECTL_BUILT, command, "--help"}).status, 0) << command;
        EXPECT_TRUE(std::regex_search(manual.str(), std::regex("\n\\.B[RI]? \"?" + std::string(command) + "\\b"))) << command;
    }
}

TEST_F(Ctl, ZshsCompletionIsSoundAndNamesEveryCommand) {
    std::stringstream text;
    text << std::ifstream(ZSH_COMPLETION).rdbuf();
    EXPECT_TRUE(text.str().starts_with("#compdef quiescectl\n"));
    for (const auto* command : {"snapshot", "hold", "leases", "watch", "thaw"}) EXPECT_THAT(text.str(), HasSubstr(std::string("                ") + command + ") _arguments"));
    const auto checked = run_to_end({"zsh", "-fn", ZSH_COMPLETION});
    EXPECT_EQ(checked.status, 0) << checked.errors;
}

} // namespace
} // namespace quiesced
