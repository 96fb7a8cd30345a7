// SPDX-License-Identifier: LGPL-2.1-or-later
// The real daemon over a simulated guest: whole sets by every kind of client, leases, clients that die, many at once.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "sim_fixture.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const Dict kNone;
constexpr const char* kManagerInterface = "org.quiesced1.Manager";
constexpr const char* kSetInterface = "org.quiesced1.SnapshotSet";

Dict bound() { return {{"bind", sdbus::Variant(true)}, {"deadline_ms", sdbus::Variant(std::uint32_t{600000})}}; }

class Sim : public Simulated {
protected:
    /// No set is unfinished any more, or will not be soon.
    bool all_over() {
        ManagerClient manager(*requestor_);
        for (int i = 0; i < 2000; ++i) {
            if (manager.ListLeases(kNone).empty()) return true;
            std::this_thread::sleep_for(milliseconds(5)); // house-allow(sleep): polls a list
        }
        return false;
    }
    bool comes_to(const std::string& set, const std::string& state) {
        SetClient client(*requestor_, set);
        for (int i = 0; i < 2000; ++i) {
            if (client.State() == state) return true;
            std::this_thread::sleep_for(milliseconds(5)); // house-allow(sleep): polls a property
        }
        return false;
    }
    static std::vector<std::string> steps_until(const std::string& last) {
        std::vector<std::string> steps;
        for (const auto* step : {"Prepare", "Freeze", "Snapshot", "Thaw", "Finish"}) {
            steps.emplace_back(step);
            if (step == last) break;
        }
        return steps;
    }
};

TEST_F(Sim, ASimulationSaysThatItIsOne) {
    start();
    EXPECT_THAT(ManagerClient(*requestor_).Version(), testing::EndsWith("+simulated"));
    EXPECT_THAT(daemon_->output(), HasSubstr("this is a simulation: nothing is frozen"));
    const auto volumes = ManagerClient(*requestor_).ListVolumes(kNone);
    for (const auto& volume : volumes)
        EXPECT_THAT(volume.at("evidence").get<std::vector<std::string>>(), testing::Contains(HasSubstr("simulated disk")));
}

TEST_F(Sim, ASimulationIsRefusedOnTheSystemBusAndWithoutFoldersOfItsOwn) {
    const auto on_system = run_to_end({QUIESCED_BUILT, "--sim", "--bus", "system", "--state-directory", folder_, "--run-directory", folder_});
    EXPECT_NE(on_system.status, 0);
    EXPECT_THAT(on_system.errors, HasSubstr("not on the system bus"));
    EXPECT_THAT(run_to_end({QUIESCED_BUILT, "--sim", "--bus", bus_->address()}).errors, HasSubstr("--state-directory"));
}

TEST_F(Sim, BusctlAloneTakesASetStepByStep) {
    start();
    const auto created = busctl({"call", kService, "/org/quiesced1", kManagerInterface, "CreateSet", "asa{sv}", "2", "/srv/data", "/srv/lun", "1", "deadline_ms", "u", "5000"});
    ASSERT_EQ(created.status, 0) << created.errors;
    const auto path = created.output.substr(created.output.find('/'), 35);
    for (const auto& step : steps_until("Finish")) {
        const auto done = busctl({"call", kService, path, kSetInterface, step, "a{sv}", "0"});
        EXPECT_EQ(done.status, 0) << step << ": " << done.errors;
    }
    EXPECT_EQ(busctl({"get-property", kService, path, kSetInterface, "State"}).output, "s \"complete\"\n");
    EXPECT_EQ(busctl({"call", kService, path, kSetInterface, "Delete", "a{sv}", "0"}).status, 0);
}

TEST_F(Sim, GdbusTakesASetInOneCall) {
    start();
    const auto gdbus = [&](const std::vector<std::string>& words) {
        std::vector<std::string> argv{"gdbus", "call", "--address", bus_->address(), "--dest", kService};
        argv.insert(argv.end(), words.begin(), words.end());
        return run_to_end(argv);
    };
    const auto created = gdbus({"--object-path", "/org/quiesced1", "--method", "org.quiesced1.Manager.CreateSet", "['/srv/data', '/srv/lun']", "{'deadline_ms': <uint32 5000>}"});
    ASSERT_EQ(created.status, 0) << created.errors;
    const auto path = created.output.substr(created.output.find('/'), 35);
    const auto taken = gdbus({"--object-path", path, "--method", "org.quiesced1.SnapshotSet.Take", "{}"});
    EXPECT_THAT(taken.output, HasSubstr("\"consistency\": \"filesystem\"")) << taken.errors;
}

TEST_F(Sim, APythonClientTakesASetAndHearsOfIt) {
    start();
    const auto heard = run_to_end({"/usr/bin/python3", QUIESCED_SOURCE_ROOT "/tests/native/sim_client.py", bus_->address()});
    EXPECT_EQ(heard.status, 0) << heard.errors;
    EXPECT_EQ(heard.output, "new preparing prepared freezing frozen snapshotting snapshotted thawing thawed complete filesystem\n");
}

TEST_F(Sim, ASetOfAnEarlierLifeCanBeDeleted) {
    start();
    ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/lun"}, kNone);
    SetClient(*requestor_, path).Take(kNone);
    requestor_.reset();
    daemon_->signal(SIGTERM);
    ASSERT_EQ(daemon_->wait(std::chrono::seconds(20)), 0);
    start();
    EXPECT_THAT(ManagerClient(*requestor_).ListSets(kNone), ElementsAre(path));
    EXPECT_THAT(end_of([&] { SetClient(*requestor_, path).Delete(kNone); }), EndsWell());
}

TEST_F(Sim, EveryDeleteIsAnswered) {
    // The answer once got lost, now and then, when the object was gone from the bus before it.
    start();
    for (int i = 0; i < 150; ++i) {
        SetClient set(*requestor_, ManagerClient(*requestor_).CreateSet({"/srv/data", "/srv/lun"}, kNone));
        set.Take(kNone);
        ASSERT_THAT(end_of([&] { set.Delete(kNone); }), EndsWell()) << "set " << i;
    }
    EXPECT_THAT(ManagerClient(*requestor_).ListSets(kNone), testing::IsEmpty());
}

TEST_F(Sim, EveryCallerOfASetThatGoesIsAnswered) {
    start();
    constexpr std::size_t kCallers = 6;
    for (int round = 0; round < 15; ++round) {
        const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data", "/srv/lun"}, kNone);
        SetClient(*requestor_, path).Take(kNone);
        std::vector<CallEnd> ends(kCallers);
        {
            std::vector<std::jthread> callers;
            for (auto& end : ends)
                callers.emplace_back([&] {
                    Requestor other(bus_->address());
                    // What comes behind the first one's Delete is refused, by the set or by the bus.
                    end = end_of([&] { SetClient(other, path).Delete(kNone); });
                });
        }
        EXPECT_THAT(ends, Contains(EndsWell())) << "round " << round;
        for (const auto& end : ends) EXPECT_THAT(end.error, Not(AnyOf(HasSubstr("NoReply"), HasSubstr("Timeout")))) << "round " << round << ": " << end.message;
    }
}

TEST_F(Sim, ALeaseSaysWhoHasWhatSinceWhenAndUntilWhen) {
    start();
    const auto micros = [] { return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count()); };
    ManagerClient manager(*requestor_);
    const auto before = micros();
    const auto path = manager.CreateSet({"/srv/data"}, {{"bind", sdbus::Variant(true)}, {"deadline_ms", sdbus::Variant(std::uint32_t{30000})}, {"prepare_limit_ms", sdbus::Variant(std::uint32_t{120000})}});
    const auto made = micros();
    const auto lease = [&] {
        const auto leases = manager.ListLeases(kNone);
        EXPECT_THAT(leases, SizeIs(1));
        return leases.empty() ? Dict() : leases.front();
    };
    auto fresh = lease();
    EXPECT_EQ(fresh.at("set").get<sdbus::ObjectPath>(), path);
    EXPECT_EQ(fresh.at("state").get<std::string>(), "new");
    EXPECT_EQ(fresh.at("user").get<std::uint32_t>(), ::geteuid());
    EXPECT_EQ(fresh.at("connection").get<std::string>(), std::string(requestor_->connection().getUniqueName()));
    EXPECT_TRUE(fresh.at("bound").get<bool>());
    EXPECT_FALSE(fresh.at("held").get<bool>());
    EXPECT_GE(fresh.at("since").get<std::uint64_t>(), before);
    EXPECT_LE(fresh.at("since").get<std::uint64_t>(), made);
    EXPECT_EQ(fresh.at("until").get<std::uint64_t>(), 0U);
    SetClient set(*requestor_, path);
    set.Prepare(kNone);
    EXPECT_NEAR(static_cast<double>(lease().at("until").get<std::uint64_t>() - micros()), 120e6, 20e6);
    set.Freeze(kNone);
    const auto until = lease().at("until").get<std::uint64_t>();
    EXPECT_NEAR(static_cast<double>(until - micros()), 30e6, 15e6);
    set.KeepAlive(kNone);
    EXPECT_GT(lease().at("until").get<std::uint64_t>(), until);
    set.Abort(kNone);
    EXPECT_THAT(manager.ListLeases(kNone), IsEmpty());
}

TEST_F(Sim, ACallerHasFourUnfinishedSetsAndAllTogetherSixteen) {
    start();
    std::vector<std::unique_ptr<Requestor>> requestors;
    int volume = 0;
    const auto create = [&](Requestor& requestor) {
        const auto name = std::string("/srv/small/") + (volume < 10 ? "0" : "") + std::to_string(volume);
        ++volume;
        return end_of([&] { ManagerClient(requestor).CreateSet({name}, kNone); });
    };
    for (int each = 0; each < 4; ++each) {
        requestors.push_back(std::make_unique<Requestor>(bus_->address()));
        for (int i = 0; i < 4; ++i) EXPECT_THAT(create(*requestors.back()), EndsWell());
        if (each == 3) break; // the other limit would be told
        EXPECT_THAT(create(*requestors.back()), EndsWithError("LimitReached", "the caller has 4 unfinished sets already"));
        --volume;
    }
    EXPECT_THAT(create(*requestor_), EndsWithError("LimitReached", "there are 16 unfinished sets already"));
    const auto leases = ManagerClient(*requestor_).ListLeases(kNone);
    EXPECT_THAT(leases, SizeIs(16));
    // One that is finished makes room.
    SetClient(*requestor_, leases.front().at("set").get<sdbus::ObjectPath>()).Take(kNone);
    EXPECT_THAT(create(*requestor_), EndsWell());
}

TEST_F(Sim, ClosingAHandleBeforeTheCutAbortsTheSet) {
    start();
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data"}, {{"deadline_ms", sdbus::Variant(std::uint32_t{600000})}});
    SetClient set(*requestor_, path);
    auto handle = set.Hold(kNone);
    EXPECT_TRUE(ManagerClient(*requestor_).ListLeases(kNone).at(0).at("held").get<bool>());
    set.Prepare(kNone);
    set.Freeze(kNone);
    sdbus::UnixFd copy(handle); // as handed on to another process
    handle.reset();
    EXPECT_EQ(set.State(), "frozen") << "the copy holds it";
    copy.reset();
    EXPECT_TRUE(comes_to(path, "failed"));
}

TEST_F(Sim, ClosingAHandleAfterTheCutThawsAndTheSetIsComplete) {
    start();
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data", "/srv/lun"}, kNone);
    SetClient set(*requestor_, path);
    auto handle = set.Hold(kNone);
    for (const auto step : {&SetClient::Prepare, &SetClient::Freeze, &SetClient::Snapshot}) (set.*step)(kNone);
    handle.reset();
    EXPECT_TRUE(comes_to(path, "complete"));
    EXPECT_EQ(set.Consistency(), "filesystem");
    EXPECT_THAT(end_of([&] { set.Hold(kNone); }), EndsWithError("WrongState", "nothing to hold"));
}

TEST_F(Sim, HandlesAreCountedAndAClosedOneMakesRoom) {
    start();
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
    SetClient set(*requestor_, path);
    std::vector<sdbus::UnixFd> handles;
    for (int i = 0; i < 4; ++i) handles.push_back(set.Hold(kNone));
    EXPECT_THAT(end_of([&] { set.Hold(kNone); }), EndsWithError("LimitReached", "4 handles on this set"));
    handles.clear();
    EXPECT_TRUE(comes_to(path, "failed")) << "every handle counts";
}

TEST_F(Sim, AClientThatIsKilledInAnyStateLeavesNothingHeld) {
    start();
    for (const auto* last : {"", "Prepare", "Freeze", "Snapshot"}) {
        for (const bool by_handle : {false, true}) {
            auto client = std::make_unique<Requestor>(bus_->address());
            const auto path = ManagerClient(*client).CreateSet({"/srv/data", "/srv/lun"}, by_handle ? kNone : bound());
            std::optional<sdbus::UnixFd> handle;
            {
                SetClient set(*client, path);
                if (by_handle) handle = set.Hold(kNone);
                for (const auto& step : steps_until(last)) {
                    if (*last == '\0') break;
                    if (step == "Prepare") set.Prepare(kNone);
                    if (step == "Freeze") set.Freeze(kNone);
                    if (step == "Snapshot") set.Snapshot(kNone);
                }
            }
            handle.reset();
            client.reset();
            EXPECT_TRUE(all_over()) << "after " << last << (by_handle ? " by handle" : " bound");
        }
    }
}

TEST_F(Sim, TwoHundredClientsAtOnceAreAllServed) {
    start();
    constexpr int kClients = 200;
    std::vector<std::future<std::string>> clients;
    for (int i = 0; i < kClients; ++i)
        clients.push_back(std::async(std::launch::async, [this, i]() -> std::string {
            try {
                const auto connection = open_bus(bus_->address());
                connection->setMethodCallTimeout(std::chrono::seconds(60));
                const auto manager = sdbus::createProxy(*connection, BusServiceName(kService), sdbus::ObjectPath("/org/quiesced1"));
                std::vector<Dict> volumes;
                manager->callMethod("ListVolumes").onInterface(kManagerInterface).withArguments(kNone).storeResultsTo(volumes);
                if (volumes.size() != 27) return std::to_string(volumes.size()) + " volumes";
                // Each of 20 volumes is wanted by ten of them: one gets it, and the others are told.
                sdbus::ObjectPath path;
                try {
                    const auto name = std::string("/srv/small/") + (i % 20 < 10 ? "0" : "") + std::to_string(i % 20);
                    manager->callMethod("CreateSet").onInterface(kManagerInterface).withArguments(std::vector{name}, bound()).storeResultsTo(path);
                } catch (const sdbus::Error& error) {
                    const std::string refusal = error.getName();
                    return refusal == "org.quiesced1.Error.Busy" || refusal == "org.quiesced1.Error.LimitReached" ? "" : refusal + error.getMessage();
                }
                const auto set = sdbus::createProxy(*connection, BusServiceName(kService), path);
                std::string manifest;
                set->callMethod("Take").onInterface(kSetInterface).withArguments(kNone).storeResultsTo(manifest);
                return nlohmann::json::parse(manifest).at("consistency") == "filesystem" ? "" : manifest;
            } catch (const std::exception& error) {
                return error.what();
            }
        }));
    std::multiset<std::string> ends;
    for (auto& client : clients) ends.insert(client.get());
    EXPECT_EQ(ends.count(""), kClients) << *ends.rbegin();
    EXPECT_TRUE(all_over());
    const auto sets = ManagerClient(*requestor_).ListSets(kNone);
    EXPECT_GE(sets.size(), 16U);
}

TEST_F(Sim, TheInterfacesAreThoseOfTheXmlTheManualAndTheGoldenFile) {
    start();
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
    const auto job = SetClient(*requestor_, path).StartRevert({}, kNone);
    const auto differences = run_to_end({"/usr/bin/python3", QUIESCED_SOURCE_ROOT "/tests/native/introspection.py", bus_->address(), path, job, INTERFACE_PAGE});
    EXPECT_EQ(differences.status, 0) << differences.output << differences.errors;
}

class Configured : public Sim {
protected:
    void write(const std::string& text) {
        std::filesystem::create_directories(folder_ + "/etc/quiesced.conf.d");
        std::ofstream(folder_ + "/etc/quiesced.conf.d/50-test.conf") << text;
    }
    /// How long a new set's deadline is: KeepAlive says it.
    std::uint32_t deadline() {
        const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
        SetClient set(*requestor_, path);
        set.Prepare(kNone);
        set.Freeze(kNone);
        const auto remaining = set.KeepAlive(kNone);
        set.Abort(kNone);
        return remaining;
    }
};

TEST_F(Configured, AReloadChangesTheDefaultsOfNewSets) {
    write("[sets]\ndeadline = 20s\nmost_of_a_caller = 1\n");
    start();
    EXPECT_EQ(deadline(), 20000U);
    write("[sets]\ndeadline = 30s\n");
    EXPECT_EQ(deadline(), 20000U) << "not by itself";
    ManagerClient(*requestor_).Reload(kNone);
    EXPECT_EQ(deadline(), 30000U);
    write("[sets]\ndeadline = 40s\n");
    daemon_->signal(SIGHUP);
    for (int i = 0; i < 1000 && daemon_->output().find("reloaded", daemon_->output().find("reloaded") + 1) == std::string::npos; ++i) ::usleep(5000);
    EXPECT_EQ(deadline(), 40000U);
}

TEST_F(Configured, AReloadIsRefusedWhileASetIsUnfinishedAndWhenTheFileIsWrong) {
    write("[sets]\ndeadline = 20s\n");
    start();
    ManagerClient manager(*requestor_);
    const auto path = manager.CreateSet({"/srv/lun"}, kNone);
    write("[sets]\ndeadline = 30s\n");
    EXPECT_THAT(end_of([&] { manager.Reload(kNone); }), EndsWithError("Busy", "is new. Try again when it is finished"));
    SetClient(*requestor_, path).Abort(kNone);
    EXPECT_EQ(deadline(), 20000U);
    write("[sets]\ndeadline = soon\n");
    EXPECT_THAT(end_of([&] { manager.Reload(kNone); }), EndsWithError("InvalidArgument", "50-test.conf:2: deadline must be a time"));
    EXPECT_EQ(deadline(), 20000U);
}

TEST_F(Configured, CheckConfigTellsEachWrongLineAndTheDaemonDoesNotStartWithOne) {
    write("[sets]\ndeadlin = 20s\nkeep_failed = 0\n");
    auto argv = command();
    const auto refused = run_to_end(argv);
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.errors, AllOf(HasSubstr("50-test.conf:2: there is no key 'deadlin'"), HasSubstr("50-test.conf:3: keep_failed must")));
    const std::vector<std::string> check{QUIESCED_BUILT, "--check-config", "--config-directory", folder_ + "/etc"};
    const auto told = run_to_end(check);
    EXPECT_EQ(told.status, 1);
    EXPECT_THAT(told.errors, AllOf(HasSubstr("50-test.conf:2: "), HasSubstr("50-test.conf:3: ")));
    write("[sets]\ndeadline = 20s\n");
    const auto good = run_to_end(check);
    EXPECT_EQ(good.status, 0);
    EXPECT_THAT(good.output, AllOf(HasSubstr("50-test.conf\n"), HasSubstr("is good")));
}

TEST_F(Configured, TheCommandLineOverrulesTheConfigurationAlsoAfterAReload) {
    write("[daemon]\nlog_level = error\n");
    auto argv = command();
    argv.insert(argv.end(), {"--log-level", "info"});
    daemon_ = std::make_unique<Program>(argv, folder_ + "/daemon.log", std::vector{notify_->variable()});
    ASSERT_TRUE(notify_->wait_for("READY=1")) << daemon_->output();
    requestor_ = std::make_unique<Requestor>(bus_->address());
    ManagerClient(*requestor_).Reload(kNone);
    daemon_->signal(SIGTERM);
    EXPECT_EQ(daemon_->wait(std::chrono::seconds(20)), 0);
    EXPECT_THAT(daemon_->output(), HasSubstr("stopping"));
}

TEST_F(Sim, AllPropertiesOfASet) {
    start();
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data", "/srv/lun"}, kNone);
    const auto all = busctl({"--json=short", "call", kService, path, "org.freedesktop.DBus.Properties", "GetAll", "s", kSetInterface});
    const auto properties = nlohmann::json::parse(all.output).at("data").at(0);
    EXPECT_EQ(properties.at("Id").at("data"), path.substr(path.rfind('/') + 1));
    EXPECT_EQ(properties.at("State").at("data"), "new");
    EXPECT_EQ(properties.at("Volumes").at("data"), nlohmann::json::array({"/srv/data", "/srv/lun"}));
    EXPECT_EQ(properties.at("Consistency").at("data"), "");
    EXPECT_EQ(properties.size(), 4U);
}

} // namespace
} // namespace quiesced
