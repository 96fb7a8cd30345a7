// SPDX-License-Identifier: LGPL-2.1-or-later
// What the daemon tells of its own accord, on the bus and to quiescectl's terminal.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include "sim_fixture.h"
#include "snapshot/manifest.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSubsetOf;
using testing::Not;

const Dict kNone;

class Signals : public Simulated {
protected:
    /// A set of another life whose provider is away: it cannot be undone.
    void leave_a_set_behind() {
        Manifest manifest;
        manifest.id = "6560000000000009";
        manifest.state = "preparing";
        ManifestMember member;
        member.volume = "/srv/data";
        member.provider = "gone";
        manifest.members.push_back(member);
        std::filesystem::create_directories(folder_ + "/state");
        ASSERT_TRUE(ManifestStore(folder_ + "/state/sets").save(manifest));
    }
    std::vector<std::string> ctl_on_terminal(const std::string& words) {
        return {"env", "TERM=xterm", "script", "-qec", std::string(QUIESCECTL_BUILT) + " --address " + bus_->address() + " " + words, "/dev/null"};
    }
};

TEST_F(Signals, TakeTellsHowFarEachMemberIs) {
    start();
    SetClient set(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/data", "/srv/lun"}, kNone));
    set.Take(kNone);
    ASSERT_TRUE(set.wait_for("complete"));
    const auto told = set.progress();
    EXPECT_THAT(told, AllOf(Contains("cut /srv/data 1/2"), Contains("cut /srv/lun 2/2"), Contains(HasSubstr("arm /srv/lun ")), Contains(HasSubstr("confirm /srv/data "))));
    EXPECT_EQ(told.size(), 6U) << testing::PrintToString(told);
}

TEST_F(Signals, WhatCannotBeUndoneIsAWarning) {
    leave_a_set_behind();
    start();
    ManagerClient manager(*requestor_);
    // It is tried, and told, again and again.
    EXPECT_TRUE(manager.wait_for_signals(1));
    EXPECT_THAT(manager.signals(), Contains(AllOf(HasSubstr("warning 6560000000000009  not_undone"), HasSubstr("the provider 'gone' is not there"))));
}

TEST_F(Signals, ATerminalShowsALineForEachMemberAndKeepsNone) {
    start();
    const auto taken = run_to_end(ctl_on_terminal("snapshot /srv/data /srv/lun"));
    EXPECT_EQ(taken.status, 0) << taken.output;
    EXPECT_THAT(taken.output, AllOf(HasSubstr("  /srv/data  "), HasSubstr("\x1b[J"), HasSubstr("complete")));
    // The last thing before the result clears what was drawn.
    EXPECT_THAT(taken.output.substr(taken.output.rfind("\x1b[J")), AllOf(HasSubstr("consistency"), Not(HasSubstr("preparing"))));
}

TEST_F(Signals, TheServiceManagerIsToldWhatItDoes) {
    start();
    SetClient set(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone));
    set.Prepare(kNone);
    set.Freeze(kNone);
    EXPECT_TRUE(notify_->wait_for("STATUS=Set " + set.Id() + " is frozen."));
    set.Abort(kNone);
    EXPECT_TRUE(notify_->wait_for("STATUS=Set " + set.Id() + " is failed."));
    daemon_->signal(SIGTERM);
    EXPECT_TRUE(notify_->wait_for("STATUS=Thawing and undoing unfinished sets."));
}

TEST_F(Signals, APipeGetsNoProgress) {
    start();
    const auto taken = run_to_end({"env", "TERM=xterm", QUIESCECTL_BUILT, "--address", bus_->address(), "snapshot", "/srv/data"});
    EXPECT_EQ(taken.status, 0);
    EXPECT_EQ(taken.errors, "");
    EXPECT_THAT(taken.output, Not(HasSubstr("\x1b")));
}

} // namespace
} // namespace quiesced
