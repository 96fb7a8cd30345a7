// SPDX-License-Identifier: LGPL-2.1-or-later
// Who may do what: every method of the real daemon, called by a user who is not root, with python-dbusmock in polkit's place.
#include <unistd.h>

#include <regex>
#include <set>
#include <sstream>

#include "sim_fixture.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kManagerPath = "/org/quiesced1";
constexpr const char* kManagerInterface = "org.quiesced1.Manager";
constexpr const char* kSetInterface = "org.quiesced1.SnapshotSet";
constexpr const char* kJobInterface = "org.quiesced1.Job";
const Dict kNone;

/// A method, what polkit is asked for it, and a call of it that has an effect only if it is granted.
struct Guarded {
    const char* interface;
    const char* method;
    const char* action;
    std::vector<std::string> arguments;
};

const std::vector<Guarded> kGuarded{
    {kManagerInterface, "ListVolumes", "inspect", {"a{sv}", "0"}},
    {kManagerInterface, "ListSets", "inspect", {"a{sv}", "0"}},
    {kManagerInterface, "ListPlugins", "inspect", {"a{sv}", "0"}},
    {kManagerInterface, "ListWriters", "inspect", {"a{sv}", "0"}},
    {kManagerInterface, "ListJobs", "inspect", {"a{sv}", "0"}},
    {kManagerInterface, "ListLeases", "inspect", {"a{sv}", "0"}},
    {kManagerInterface, "Plan", "inspect", {"asa{sv}", "0", "1", "sample_ms", "u", "0"}},
    {kManagerInterface, "Reload", "configure", {"a{sv}", "0"}},
    {kManagerInterface, "MatchDisks", "configure", {"aa{sv}a{sv}", "0", "0"}},
    {kManagerInterface, "CreateSet", "snapshot", {"asa{sv}", "1", "/srv/more", "0"}},
    {kSetInterface, "Describe", "inspect", {"a{sv}", "0"}},
    {kSetInterface, "Prepare", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "Freeze", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "KeepAlive", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "Snapshot", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "Thaw", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "Finish", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "Take", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "Abort", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "Hold", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "ReportHostSnapshot", "snapshot", {"ssa{sv}", "/srv/data", "x", "0"}},
    {kSetInterface, "Map", "snapshot", {"a{sv}", "0"}},
    {kSetInterface, "Revert", "revert", {"asa{sv}", "0", "0"}},
    {kSetInterface, "StartRevert", "revert", {"asa{sv}", "0", "0"}},
    {kJobInterface, "Cancel", "revert", {"a{sv}", "0"}},
    {kSetInterface, "Delete", "delete", {"a{sv}", "0"}},
};

class Authorized : public Simulated {
protected:
    std::string root_set() {
        ManagerClient manager(*requestor_);
        return manager.CreateSet({"/srv/data"}, kNone);
    }
    Ran call(const Guarded& guarded, const std::string& set) {
        std::vector<std::string> words{guarded.method};
        words.insert(words.end(), guarded.arguments.begin(), guarded.arguments.end());
        const std::string interface = guarded.interface;
        return call_as_nobody(interface == kSetInterface ? set : interface == kJobInterface ? job(set) : kManagerPath, interface, words);
    }
    /// One that is over, if the set is not complete.
    std::string job(const std::string& set) {
        auto jobs = ManagerClient(*requestor_).ListJobs(kNone);
        if (jobs.empty()) jobs.push_back(SetClient(*requestor_, set).StartRevert({}, kNone));
        return jobs.front();
    }
    /// Methods of one of our interfaces, as the daemon says it has them.
    std::set<std::string> methods(const std::string& object, const std::string& interface) {
        const auto listed = busctl({"introspect", kService, object, interface});
        std::set<std::string> found;
        const std::regex line(R"(\.(\w+)\s+method\s.*)");
        std::istringstream lines(listed.output);
        std::smatch match;
        for (std::string text; std::getline(lines, text);)
            if (std::regex_match(text, match, line)) found.insert(match[1]);
        return found;
    }
};

TEST_F(Authorized, EveryMethodIsInTheTableOfThisTest) {
    start();
    const auto set = root_set();
    for (const auto& [object, interface] : {std::pair<std::string, std::string>{kManagerPath, kManagerInterface}, {set, kSetInterface}, {job(set), kJobInterface}}) {
        std::set<std::string> tried;
        for (const auto& guarded : kGuarded)
            if (guarded.interface == interface) tried.insert(guarded.method);
        EXPECT_EQ(methods(object, interface), tried) << "a method that is not tried here may be open to everybody";
    }
}

TEST_F(Authorized, WithoutPolkitAnotherUserMayDoNothing) {
    start();
    const auto set = root_set();
    for (const auto& guarded : kGuarded) {
        const auto refused = call(guarded, set);
        EXPECT_EQ(refused.status, 1) << guarded.method;
        EXPECT_THAT(refused.errors, AllOf(HasSubstr("user 65534 may not"), HasSubstr("polkit is not there"))) << guarded.method;
    }
    EXPECT_EQ(SetClient(*requestor_, set).State(), "new");
}

TEST_F(Authorized, WhatPolkitDoesNotGrantIsRefusedAndChangesNothing) {
    start_polkit();
    start();
    const auto set = root_set();
    for (const auto& guarded : kGuarded) {
        // All but the right one.
        std::vector<std::string> others;
        for (const auto* action : {"inspect", "snapshot", "delete", "revert", "configure"})
            if (action != std::string(guarded.action)) others.push_back(std::string("org.quiesced1.") + action);
        grant(others);
        const auto refused = call(guarded, set);
        EXPECT_EQ(refused.status, 1) << guarded.method;
        EXPECT_THAT(refused.errors, AllOf(HasSubstr("polkit does not grant it"), HasSubstr(std::string("org.quiesced1.") + guarded.action + "."))) << guarded.method;
    }
    EXPECT_EQ(SetClient(*requestor_, set).State(), "new");
    EXPECT_EQ(ManagerClient(*requestor_).ListSets(kNone).size(), 1U);
}

TEST_F(Authorized, TheOneRightActionIsEnough) {
    start_polkit();
    start();
    const auto set = root_set();
    for (const auto& guarded : kGuarded) {
        grant({std::string("org.quiesced1.") + guarded.action});
        const auto done = call(guarded, set);
        EXPECT_THAT(done.errors, Not(HasSubstr("may not"))) << guarded.method;
        // The set is complete by then.
        const bool too_late = std::set<std::string>{"Take", "Abort", "Hold", "ReportHostSnapshot", "Cancel"}.contains(guarded.method);
        if (guarded.method == std::string("Reload")) continue; // the set is unfinished
        EXPECT_EQ(done.status, too_late ? 1 : 0) << guarded.method << ": " << done.errors;
        EXPECT_THAT(done.errors, too_late ? HasSubstr("Call failed") : HasSubstr("")) << guarded.method;
    }
}

TEST_F(Authorized, LookingAtAMatchNeedsNoMoreThanInspect) {
    start_polkit();
    start();
    const std::vector<std::string> look{"MatchDisks", "aa{sv}a{sv}", "0", "1", "remember", "b", "false"};
    EXPECT_EQ(call_as_nobody(kManagerPath, kManagerInterface, look).status, 1);
    grant({"org.quiesced1.inspect"});
    EXPECT_EQ(call_as_nobody(kManagerPath, kManagerInterface, look).status, 0);
}

TEST_F(Authorized, TheOwnersThawAbortAndKeepAliveNeverWaitForPolkit) {
    start_polkit();
    start();
    grant({"org.quiesced1.snapshot"});
    const auto frozen = [&](const std::string& volume) {
        const auto created = call_as_nobody(kManagerPath, kManagerInterface, {"CreateSet", "asa{sv}", "1", volume, "1", "deadline_ms", "u", "60000"});
        EXPECT_EQ(created.status, 0) << created.errors;
        const auto begin = created.output.find('/');
        const auto path = created.output.substr(begin, created.output.rfind('"') - begin);
        for (const auto* step : {"Prepare", "Freeze"}) EXPECT_EQ(call_as_nobody(path, kSetInterface, {step, "a{sv}", "0"}).status, 0);
        return path;
    };
    const auto to_abort = frozen("/srv/data");
    const auto to_thaw = frozen("/srv/lun");
    EXPECT_EQ(call_as_nobody(to_thaw, kSetInterface, {"Snapshot", "a{sv}", "0"}).status, 0);
    const auto roots = ManagerClient(*requestor_).CreateSet({"/srv/log"}, kNone);
    ASSERT_EQ(polkit({"SimulateHang", "b", "true"}).status, 0);
    grant({});

    EXPECT_EQ(call_as_nobody(to_abort, kSetInterface, {"KeepAlive", "a{sv}", "0"}).status, 0);
    EXPECT_EQ(call_as_nobody(to_abort, kSetInterface, {"Abort", "a{sv}", "0"}).status, 0);
    EXPECT_EQ(call_as_nobody(to_thaw, kSetInterface, {"Thaw", "a{sv}", "0"}).status, 0);
    EXPECT_EQ(SetClient(*requestor_, to_abort).State(), "failed");
    EXPECT_THAT(SetClient(*requestor_, to_thaw).State(), testing::AnyOf("thawed", "complete"));
    SetClient(*requestor_, to_thaw).Finish(kNone); // which has begun by itself: until its end, the set is a lease

    // Somebody else's set is another matter, and the daemon goes on answering meanwhile.
    Program waiting({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "busctl", "--address=" + bus_->address(), "call", kService, roots,
                     kSetInterface, "Abort", "a{sv}", "0"}, folder_ + "/waiting.log");
    for (int i = 0; i < 1000 && polkit({"HaveHangingCalls"}).output.find("true") == std::string::npos; ++i) ::usleep(10000);
    EXPECT_EQ(SetClient(*requestor_, roots).State(), "new");
    EXPECT_EQ(ManagerClient(*requestor_).ListLeases(kNone).size(), 1U);
    ASSERT_EQ(polkit({"ReleaseHangingCalls"}).status, 0);
    EXPECT_EQ(waiting.wait(std::chrono::seconds(20)), 1);
    EXPECT_THAT(waiting.output(), HasSubstr("polkit does not grant it"));
    EXPECT_EQ(SetClient(*requestor_, roots).State(), "new");
}

TEST_F(Authorized, OneUsersQuestionsToAPolkitThatHangsHoldUpNobodyElse) {
    start_polkit();
    start();
    ASSERT_EQ(polkit({"SimulateHang", "b", "true"}).status, 0);
    std::vector<std::unique_ptr<Program>> waiting;
    for (int i = 0; i < 16; ++i)
        waiting.push_back(std::make_unique<Program>(
            std::vector<std::string>{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "busctl", "--timeout=60", "--address=" + bus_->address(),
                                     "call", kService, kManagerPath, kManagerInterface, "ListSets", "a{sv}", "0"},
            folder_ + "/waiting" + std::to_string(i) + ".log"));
    Ran next;
    for (int i = 0; i < 200; ++i) {
        next = as_nobody({"--timeout=1", "call", kService, kManagerPath, kManagerInterface, "ListSets", "a{sv}", "0"});
        if (next.errors.find("has not answered") != std::string::npos) break;
    }
    EXPECT_THAT(next.errors, HasSubstr("polkit has not answered 16 earlier calls yet"));
    EXPECT_TRUE(ManagerClient(*requestor_).ListSets(kNone).empty()) << "root is not asked about";
}

TEST_F(Authorized, PolkitMayAskTheUserWhereTheOptionOrTheMessageAllowsIt) {
    start_polkit();
    start();
    const Program monitor({"busctl", "--address=" + bus_->address(), "monitor", kPolkit}, folder_ + "/monitor.log");
    // Nothing tells that it listens: it is asked until it has seen a question. The flags are the question's only number.
    const auto flags = [&](const std::vector<std::string>& flag, const char* count, std::vector<std::string> option) {
        std::vector<std::string> words = flag;
        words.insert(words.end(), {"call", kService, kManagerPath, kManagerInterface, "ListSets", "a{sv}", count});
        words.insert(words.end(), option.begin(), option.end());
        for (int i = 0; i < 50; ++i) {
            const auto before = monitor.output().size();
            as_nobody(words);
            for (int look = 0; look < 20; ++look) {
                const auto said = monitor.output().substr(before);
                if (const auto at = said.find("UINT32 "); at != std::string::npos) return said.substr(at + 7, 1);
                ::usleep(10000);
            }
        }
        return std::string();
    };
    EXPECT_EQ(flags({"--allow-interactive-authorization=no"}, "0", {}), "0");
    EXPECT_EQ(flags({"--allow-interactive-authorization=yes"}, "0", {}), "1") << "the message's flag";
    EXPECT_EQ(flags({"--allow-interactive-authorization=no"}, "1", {"interactive", "b", "true"}), "1") << "the option";
}

} // namespace
} // namespace quiesced
