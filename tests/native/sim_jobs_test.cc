// SPDX-License-Identifier: LGPL-2.1-or-later
// What takes long has a job: the real daemon over a simulated guest, whose merges take two seconds.
#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include "org.quiesced1.Job.proxy.h"
#include "sim_fixture.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;

const Dict kNone;

class JobClient final : public sdbus::ProxyInterfaces<org::quiesced1::Job_proxy, sdbus::Properties_proxy> {
public:
    JobClient(Requestor& requestor, const std::string& path) : ProxyInterfaces(requestor.connection(), BusServiceName(kService), sdbus::ObjectPath(path)) { registerProxy(); }
    ~JobClient() { unregisterProxy(); }

    /// "done " and the error, when it is over; empty after 20 s. One that is over before anybody listens has told nobody.
    std::string wait() {
        for (int look = 0; look < 200; ++look) {
            {
                std::unique_lock lock(mutex_);
                if (changed_.wait_for(lock, std::chrono::milliseconds(100), [this] { return !end_.empty(); })) return end_;
            }
            if (const auto state = State(); state != "running") return state + " " + Error();
        }
        return {};
    }
    std::vector<double> progress() {
        const std::lock_guard lock(mutex_);
        return progress_;
    }

private:
    void onFinished(const std::string& state, const std::string& error, const Dict& /*details*/) override {
        const std::lock_guard lock(mutex_);
        end_ = state + " " + error;
        changed_.notify_all();
    }
#if QUIESCED_SDBUS_MAJOR >= 2
    void onPropertiesChanged(const sdbus::InterfaceName& /*interface*/, const std::map<sdbus::PropertyName, sdbus::Variant>& changed, const std::vector<sdbus::PropertyName>& /*gone*/) override {
        const auto found = changed.find(sdbus::PropertyName("Progress"));
#else
    void onPropertiesChanged(const std::string& /*interface*/, const Dict& changed, const std::vector<std::string>& /*gone*/) override {
        const auto found = changed.find("Progress");
#endif
        const std::lock_guard lock(mutex_);
        if (found != changed.end()) progress_.push_back(found->second.get<double>());
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string end_;
    std::vector<double> progress_;
};

class SimJobs : public Simulated {
protected:
    /// A complete set of a volume that can be put back.
    std::string complete_set() {
        auto path = ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
        SetClient(*requestor_, path).Take(kNone);
        return path;
    }
    Ran ctl(std::vector<std::string> words) {
        words.insert(words.begin(), {QUIESCECTL_BUILT, "--address", bus_->address()});
        return run_to_end(words);
    }
    static std::string id_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
};

TEST_F(SimJobs, ARevertIsAnsweredAtOnceAndTellsHowFarItIs) {
    start();
    const auto path = complete_set();
    ManagerClient manager(*requestor_);
    SetClient set(*requestor_, path);
    const auto begun = std::chrono::steady_clock::now();
    const std::string job = set.StartRevert({"/srv/data"}, kNone);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(500)) << "the merge takes two seconds";
    EXPECT_THAT(manager.ListJobs(kNone), ElementsAre(job));
    EXPECT_TRUE(manager.wait_for_signals(1));
    EXPECT_THAT(manager.signals(), Contains("job " + job));
    JobClient client(*requestor_, job);
    EXPECT_EQ(client.Kind(), "revert");
    EXPECT_EQ(client.SnapshotSet(), path);
    EXPECT_THAT(client.Members(), ElementsAre("/srv/data"));
    EXPECT_EQ(client.State(), "running");
    EXPECT_EQ(client.Error(), "");
    EXPECT_EQ(client.wait(), "done ");
    EXPECT_EQ(client.State(), "done");
    EXPECT_EQ(client.Progress(), 1.0);
    EXPECT_THAT(client.progress(), IsSupersetOf({0.25, 0.5, 0.75, 1.0}));
    EXPECT_EQ(Json::parse(set.Describe(kNone)).at("consistency"), "reverted");
    EXPECT_THAT(end_of([&] { client.Cancel(kNone); }), EndsWithError("WrongState", "the job is over"));
}

TEST_F(SimJobs, ThePlainCallHasAJobAsWellAndNothingStopsAMerge) {
    start();
    const auto path = complete_set();
    std::string answer;
    std::thread caller([&] {
        Requestor other(bus_->address());
        answer = SetClient(other, path).Revert({}, kNone);
    });
    ManagerClient manager(*requestor_);
    std::vector<sdbus::ObjectPath> jobs;
    for (int i = 0; i < 1000 && jobs.empty(); ++i) jobs = manager.ListJobs(kNone);
    ASSERT_THAT(jobs, SizeIs(1));
    JobClient client(*requestor_, jobs[0]);
    EXPECT_THAT(client.Members(), IsEmpty()) << "all of the set";
    for (int i = 0; i < 1000 && client.Progress() < 0.2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5)); // house-allow(sleep): polls a property
    EXPECT_THAT(end_of([&] { client.Cancel(kNone); }), EndsWithError("WrongState", "which nothing stops"));
    caller.join();
    EXPECT_EQ(client.State(), "done");
    EXPECT_EQ(Json::parse(answer).at("consistency"), "reverted");
}

TEST_F(SimJobs, OneThatHasNotBegunIsCancelledAndNothingChanges) {
    start();
    const auto path = complete_set();
    // Windows and merges keep out of each other's way.
    SetClient window(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/log"}, kNone));
    window.Prepare(kNone);
    window.Freeze(kNone);
    SetClient set(*requestor_, path);
    JobClient client(*requestor_, set.StartRevert({}, kNone));
    EXPECT_EQ(client.State(), "running");
    const auto shown = ctl({"jobs"});
    EXPECT_THAT(shown.output, ContainsRegex("1 +revert +" + id_of(path) + " +all of it +running +0 %"));
    const auto cancelled = ctl({"cancel", "--json", "1", "17", "none"});
    EXPECT_EQ(cancelled.status, 1) << "two are not there";
    EXPECT_THAT(Json::parse(cancelled.output).at(0).at("done"), "cancelled");
    EXPECT_THAT(Json::parse(cancelled.output).at(1).at("message").get<std::string>(), HasSubstr("there is no job '17'"));
    EXPECT_THAT(client.wait(), AllOf(HasSubstr("cancelled org.quiesced1.Error.WrongState: "), HasSubstr("nothing is changed")));
    window.Abort(kNone);
    EXPECT_EQ(Json::parse(set.Describe(kNone)).at("consistency"), "filesystem");
    EXPECT_THAT(ctl({"jobs"}).output, HasSubstr("cancelled"));
}

TEST_F(SimJobs, ASetIsDescribedAtOnceAtAnyTimeOfItsRevert) {
    start();
    SetClient set(*requestor_, complete_set());
    JobClient client(*requestor_, set.StartRevert({}, kNone));
    int asked = 0;
    for (; client.State() == "running"; ++asked) {
        const auto begun = std::chrono::steady_clock::now();
        set.Describe(kNone);
        EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(1000));
    }
    EXPECT_GT(asked, 3);
}

TEST_F(SimJobs, AFailureStandsInTheJobWithItsName) {
    start();
    const auto path = complete_set();
    JobClient client(*requestor_, SetClient(*requestor_, path).StartRevert({"/nowhere"}, kNone));
    EXPECT_THAT(client.wait(), AllOf(HasSubstr("failed org.quiesced1.Error.NoSuchVolume: "), HasSubstr("'/nowhere' is no member")));
    EXPECT_THAT(client.Error(), HasSubstr("NoSuchVolume"));
}

TEST_F(SimJobs, OnlyTheLastThatAreOverAreKept) {
    start();
    const auto path = complete_set();
    SetClient set(*requestor_, path);
    std::string last;
    for (int i = 0; i < 20; ++i) {
        last = set.StartRevert({"/nowhere"}, kNone);
        JobClient(*requestor_, last).wait();
    }
    const auto jobs = ManagerClient(*requestor_).ListJobs(kNone);
    EXPECT_THAT(jobs, SizeIs(16));
    EXPECT_EQ(jobs.back(), last);
}

TEST_F(SimJobs, SixteenRunAtOnceAndNoMore) {
    start();
    std::vector<std::string> sets;
    for (int i = 0; i < 16; ++i) {
        const auto name = std::string("/srv/small/") + (i < 10 ? "0" : "") + std::to_string(i);
        sets.push_back(ManagerClient(*requestor_).CreateSet({name}, kNone));
        SetClient(*requestor_, sets.back()).Take(kNone);
    }
    SetClient window(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/log"}, kNone));
    window.Prepare(kNone);
    window.Freeze(kNone);
    for (const auto& set : sets) SetClient(*requestor_, set).StartRevert({}, kNone);
    EXPECT_THAT(end_of([&] { SetClient(*requestor_, sets[0]).StartRevert({}, kNone); }), EndsWithError("LimitReached", "there are 16 jobs already"));
    EXPECT_THAT(end_of([&] { SetClient(*requestor_, sets[0]).Revert({}, kNone); }), EndsWithError("LimitReached", "there are 16 jobs already"));
    window.Abort(kNone);
}

TEST_F(SimJobs, QuiescectlFollowsItOnATerminalInOneLineElsewhereInSeveral) {
    start();
    const auto set = id_of(complete_set());
    const auto plain = ctl({"revert", "--yes", set});
    EXPECT_EQ(plain.status, 0) << plain.errors;
    EXPECT_EQ(plain.output, "/srv/data is put back.\n");
    EXPECT_THAT(plain.errors, AllOf(ContainsRegex("[257]+0? %: /srv/data [257]+0? %\n"), Not(HasSubstr("\x1b"))));

    const auto other = id_of(complete_set());
    const auto drawn = run_to_end({"env", "TERM=xterm", "script", "-qec", std::string(QUIESCECTL_BUILT) + " --address " + bus_->address() + " revert --yes " + other, "/dev/null"});
    EXPECT_EQ(drawn.status, 0) << drawn.output;
    EXPECT_THAT(drawn.output, ContainsRegex("\r\x1b\\[K[257]+0? %: /srv/data [257]+0? %\r"));
    // Nothing of it stays.
    EXPECT_EQ(drawn.output.substr(drawn.output.rfind("\x1b[K") + 3), "/srv/data is put back.\r\n");

    const auto third = id_of(complete_set());
    const auto json = ctl({"revert", "--yes", "--json", third});
    EXPECT_EQ(Json::parse(json.output).at("consistency"), "reverted");
    EXPECT_EQ(json.errors, "");
}

TEST_F(SimJobs, QuiescectlTellsWhyARevertFailed) {
    start();
    auto path = ManagerClient(*requestor_).CreateSet({"/srv/lun"}, kNone);
    SetClient(*requestor_, path).Take(kNone);
    const auto refused = ctl({"revert", "--yes", id_of(path)});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.errors, AllOf(HasSubstr("puts no volume back"), HasSubstr("(org.quiesced1.Error.Unsupported)")));
}

} // namespace
} // namespace quiesced
