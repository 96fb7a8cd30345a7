// SPDX-License-Identifier: LGPL-2.1-or-later
// The objects on a private bus, over real sets in a simulated kernel.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include <nlohmann/json.hpp>

#include "bus/bus.h"
#include "bus_fixture.h"
#include "freeze/sim_kernel.h"
#include "program.h"
#include "sequence/set_manager.h"
#include "snapshot/host_provider.h"
#include "unit/sequence/sequence_fixture.h"
#include "unit/volumes/fixture.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const Dict kNone;

class OnBus : public testing::Test {
protected:
    OnBus() {
        folder_ = work_folder() + "/bus";
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        bus_daemon_ = std::make_unique<PrivateBus>(folder_);
        store_ = std::make_unique<ManifestStore>(folder_ + "/sets");
        machine_.virtio("253:0", "vda");
        machine_.mount("253:0", "/", "ext4", "/dev/vda");
        machine_.virtio("253:16", "vdb");
        machine_.mount("253:16", "/srv/data", "ext4", "/dev/vdb");
        fd_ = world_->add_file_system("/srv/data");
        world_->set_identity("/srv/data", {.superblock = {253, 16}, .mount_id = 2});
    }
    ~OnBus() override {
        if (bus_) bus_->stop();
        manager_.reset();
        bus_.reset();
        std::error_code ignored; // a freezer that ends removes its record meanwhile
        std::filesystem::remove_all(folder_, ignored);
    }

    void serve(milliseconds keep_failed = std::chrono::minutes(10)) {
        auto bus = Bus::connect({.bus = bus_daemon_->address(), .version = "1.2.3", .keep_failed = keep_failed});
        ASSERT_TRUE(bus) << bus.error().message();
        bus_ = std::move(*bus);
        SetManagerOptions options;
        options.paths = machine_.paths();
        options.environment.make_kernel = [this] { return world_->kernel(); };
        options.environment.make_launcher = [this] { return std::make_unique<ThreadLauncher>(world_->kernel()); };
        options.environment.open_mount = [this](const std::string& path) -> Result<OpenedMount> {
            return OpenedMount{.fd = UniqueFd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0)), .identity = world_->identity(path)};
        };
        options.environment.store = store_.get();
        options.environment.record_directory = folder_;
        manager_ = std::make_unique<SetManager>(options, [this] { return std::vector<std::shared_ptr<Provider>>{provider_, std::make_shared<HostProvider>()}; }, *bus_);
        const auto serving = bus_->serve(*manager_, plugins_, [](const std::string& what) { ADD_FAILURE() << what; });
        ASSERT_TRUE(serving) << serving.error().message();
    }
    std::string create(ManagerClient& client, Dict options = {}) { return client.CreateSet({"/srv/data"}, options); }

    std::string folder_;
    Fixture machine_;
    std::unique_ptr<PrivateBus> bus_daemon_;
    std::shared_ptr<SimWorld> world_ = SimWorld::create();
    UniqueFd fd_;
    std::shared_ptr<FakeProvider> provider_ = std::make_shared<FakeProvider>("fake", Placement::virtual_disk);
    std::unique_ptr<ManifestStore> store_;
    std::unique_ptr<Bus> bus_;
    Plugins plugins_; ///< none
    std::unique_ptr<SetManager> manager_;
};

TEST_F(OnBus, TakeIsAnsweredBehindTheSignalsOfEveryState) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    EXPECT_EQ(manager.Version(), "1.2.3");
    const auto path = create(manager);
    SetClient set(requestor, path);
    EXPECT_EQ(set.State(), "new");
    EXPECT_EQ(set.Consistency(), "");
    EXPECT_EQ(path, "/org/quiesced1/set/" + set.Id());
    EXPECT_THAT(set.Volumes(), ElementsAre("/srv/data"));
    const auto manifest = nlohmann::json::parse(set.Take(kNone));
    // A call of sdbus-c++ 2 reads its answer ahead of the signals that came before it.
    if (QUIESCED_SDBUS_MAJOR >= 2) {
        EXPECT_TRUE(set.wait_for("complete"));
        EXPECT_TRUE(set.wait_for_properties(9));
    }
    EXPECT_THAT(set.states(), ElementsAre("preparing", "prepared", "freezing", "frozen", "snapshotting", "snapshotted", "thawing",
                                          "thawed", "complete"));
    EXPECT_EQ(set.properties_changed(), 9U);
    EXPECT_EQ(set.State(), "complete");
    EXPECT_EQ(set.Consistency(), "filesystem");
    EXPECT_EQ(manifest.at("id"), set.Id());
    EXPECT_EQ(manifest.at("state"), "complete");
    EXPECT_EQ(manifest.at("members").at(0).at("snapshot"), "/srv/data-snapshot");
    EXPECT_EQ(manifest, nlohmann::json::parse(set.Describe(kNone)));
    EXPECT_TRUE(manager.wait_for_signals(1));
    EXPECT_THAT(manager.signals(), ElementsAre("added " + path));
    EXPECT_THAT(world_->held(), IsEmpty());
}

TEST_F(OnBus, TheHostsSnapshotIsReportedWhileTheSetIsFrozen) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    const std::map<std::string, std::string> choice{{"/srv/data", "host"}};
    SetClient set(requestor, create(manager, {{"providers", sdbus::Variant(choice)}}));
    set.Prepare(kNone);
    EXPECT_THAT(end_of([&] { set.ReportHostSnapshot("/srv/data", "snap-7", kNone); }), EndsWithError("WrongState", "prepared"));
    set.Freeze(kNone);
    EXPECT_THAT(end_of([&] { set.ReportHostSnapshot("/srv/date", "snap-7", kNone); }), EndsWithError("NoSuchVolume", "/srv/date"));
    set.ReportHostSnapshot("/srv/data", "snap-7", kNone);
    set.Snapshot(kNone);
    set.Thaw(kNone);
    set.Finish(kNone);
    EXPECT_EQ(set.Consistency(), "filesystem");
    EXPECT_EQ(nlohmann::json::parse(set.Describe(kNone)).at("members").at(0).at("snapshot"), "snap-7");
}

TEST_F(OnBus, DeleteTakesTheObjectAway) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    const auto path = create(manager);
    SetClient set(requestor, path);
    set.Take(kNone);
    EXPECT_THAT(manager.ListSets(kNone), ElementsAre(path));
    set.Delete(kNone);
    EXPECT_THAT(manager.ListSets(kNone), IsEmpty());
    EXPECT_TRUE(manager.wait_for_signals(2));
    EXPECT_THAT(manager.signals(), ElementsAre("added " + path, "removed " + path));
    EXPECT_THAT(end_of([&] { set.Describe(kNone); }), EndsWithError("org.freedesktop.DBus.Error.UnknownObject", ""));
    EXPECT_EQ(provider_->calls->count("remove 1"), 1U);
}

TEST_F(OnBus, ADeleteThatFailsKeepsTheSet) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    SetClient set(requestor, create(manager));
    set.Take(kNone);
    provider_->remove_error = Error{.kind = ErrorKind::busy, .error_number = 0, .context = "it is mounted", .advice = "Unmount it.", .undone = {}};
    EXPECT_THAT(end_of([&] { set.Delete(kNone); }), EndsWithError("Busy", "it is mounted. Unmount it."));
    EXPECT_EQ(set.State(), "complete");
}

TEST_F(OnBus, EachStepAloneAndKeepAlive) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    SetClient set(requestor, create(manager, {{"deadline_ms", sdbus::Variant(std::uint32_t{30000})}}));
    EXPECT_THAT(end_of([&] { set.Thaw(kNone); }), EndsWithError("WrongState", "is 'new'"));
    EXPECT_THAT(end_of([&] { set.KeepAlive(kNone); }), EndsWithError("WrongState", "is 'new'"));
    EXPECT_EQ(set.State(), "new") << "a call out of order changes nothing";
    set.Prepare(kNone);
    set.Freeze(kNone);
    EXPECT_TRUE(world_->frozen("/srv/data"));
    EXPECT_EQ(set.State(), "frozen");
    const auto remaining = set.KeepAlive(kNone);
    EXPECT_GT(remaining, 29000U);
    EXPECT_LE(remaining, 30000U);
    set.Snapshot(kNone);
    set.Thaw(kNone);
    EXPECT_FALSE(world_->frozen("/srv/data"));
    set.Finish(kNone);
    EXPECT_EQ(set.State(), "complete");
}

TEST_F(OnBus, AbortIsAnsweredWhileAnotherStepRuns) {
    std::promise<void> committing, go_on;
    provider_->during_commit = [&] {
        committing.set_value();
        go_on.get_future().wait_for(std::chrono::seconds(20));
    };
    serve();
    Requestor requestor(bus_daemon_->address());
    Requestor other(bus_daemon_->address());
    ManagerClient manager(other);
    const auto path = create(manager);
    SetClient set(requestor, path);
    SetClient same(other, path);
    auto taken = std::async(std::launch::async, [&] { return end_of([&] { set.Take(kNone); }); });
    committing.get_future().wait();
    EXPECT_EQ(same.State(), "snapshotting") << "the bus answers meanwhile";
    EXPECT_FALSE(manager.ListVolumes(kNone).empty());
    auto aborted = std::async(std::launch::async, [&] { return end_of([&] { same.Abort(kNone); }); });
    for (int i = 0; i < 5000 && world_->frozen("/srv/data"); ++i) ::usleep(1000);
    EXPECT_FALSE(world_->frozen("/srv/data")) << "thawed at once, although the commit has not come back";
    go_on.set_value();
    EXPECT_THAT(aborted.get(), EndsWell());
    EXPECT_THAT(taken.get(), Not(EndsWell()));
    EXPECT_TRUE(set.wait_for("failed"));
    EXPECT_THAT(set.error(), HasSubstr("aborted on request"));
}

TEST_F(OnBus, ABoundSetEndsWithItsCaller) {
    serve();
    Requestor watcher(bus_daemon_->address());
    std::unique_ptr<SetClient> watched;
    {
        Requestor requestor(bus_daemon_->address());
        ManagerClient manager(requestor);
        // The deadline is far away: only the caller's end can end it.
        const auto path = create(manager, {{"bind", sdbus::Variant(true)}, {"deadline_ms", sdbus::Variant(std::uint32_t{600000})}});
        SetClient set(requestor, path);
        watched = std::make_unique<SetClient>(watcher, path);
        set.Prepare(kNone);
        set.Freeze(kNone);
        EXPECT_TRUE(world_->frozen("/srv/data"));
    }
    EXPECT_TRUE(watched->wait_for("failed"));
    EXPECT_FALSE(world_->frozen("/srv/data"));
    EXPECT_EQ(provider_->calls->count("disarm"), 1U);
}

TEST_F(OnBus, ASetThatIsNotBoundOutlivesItsCaller) {
    serve();
    std::string path;
    {
        Requestor requestor(bus_daemon_->address());
        ManagerClient manager(requestor);
        path = create(manager);
        SetClient(requestor, path).Prepare(kNone);
    }
    Requestor next(bus_daemon_->address());
    SetClient set(next, path);
    EXPECT_EQ(set.State(), "prepared");
    set.Abort(kNone);
}

TEST_F(OnBus, ACompleteBoundSetStaysWhenItsCallerGoes) {
    serve();
    std::string path;
    {
        Requestor requestor(bus_daemon_->address());
        ManagerClient manager(requestor);
        path = create(manager, {{"bind", sdbus::Variant(true)}});
        SetClient(requestor, path).Take(kNone);
    }
    Requestor next(bus_daemon_->address());
    EXPECT_EQ(SetClient(next, path).State(), "complete");
}

TEST_F(OnBus, AFailedSetIsDescribedForAWhileAndThenForgotten) {
    provider_->arm_error = Error{.kind = ErrorKind::no_space, .error_number = 0, .context = "vg is full", .advice = "Free some room.", .undone = {}};
    serve(milliseconds(600));
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    const auto path = create(manager);
    SetClient set(requestor, path);
    EXPECT_THAT(end_of([&] { set.Take(kNone); }), EndsWithError("NoSpace", "vg is full. Free some room."));
    EXPECT_TRUE(set.wait_for("failed"));
    EXPECT_THAT(set.error(), HasSubstr("vg is full"));
    EXPECT_EQ(set.State(), "failed");
    EXPECT_THAT(set.Describe(kNone), HasSubstr("vg is full"));
    EXPECT_TRUE(manager.wait_for_signals(2));
    EXPECT_THAT(manager.signals(), ElementsAre("added " + path, "removed " + path));
    EXPECT_THAT(manager.ListSets(kNone), IsEmpty());
}

TEST_F(OnBus, UnknownAndMistypedOptionsAreRefusedEverywhere) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    const Dict misspelt{{"dedline_ms", sdbus::Variant(std::uint32_t{1000})}};
    EXPECT_THAT(end_of([&] { create(manager, misspelt); }), EndsWithError("InvalidArgument", "no option 'dedline_ms'. It knows: deadline_ms, "));
    EXPECT_THAT(end_of([&] { create(manager, {{"deadline_ms", sdbus::Variant(std::string("5"))}}); }),
                EndsWithError("InvalidArgument", "'deadline_ms' has a value of type 's'. It must be of type 'u'."));
    for (const std::uint32_t deadline : {99U, 600001U})
        EXPECT_THAT(end_of([&] { create(manager, {{"deadline_ms", sdbus::Variant(deadline)}}); }), EndsWithError("InvalidArgument", "from 100 to 600000"));
    EXPECT_THAT(end_of([&] { create(manager, {{"foreign_freeze", sdbus::Variant(std::string("ignore"))}}); }),
                EndsWithError("InvalidArgument", "It must be 'refuse' or 'accept'."));
    EXPECT_THAT(end_of([&] { create(manager, {{"relinquish_journal", sdbus::Variant(std::string("no"))}}); }), EndsWithError("InvalidArgument", "type 'b'"));
    EXPECT_THAT(end_of([&] { create(manager, {{"member_limit_ms", sdbus::Variant(std::uint32_t{9})}}); }), EndsWithError("InvalidArgument", "10 to 600000 ms"));
    EXPECT_THAT(end_of([&] { create(manager, {{"prepare_limit_ms", sdbus::Variant(std::uint32_t{999})}}); }),
                EndsWithError("InvalidArgument", "1000 to 86400000 ms"));
    EXPECT_THAT(end_of([&] { manager.ListVolumes(misspelt); }), EndsWithError("InvalidArgument", "It knows: interactive."));
    EXPECT_THAT(end_of([&] { manager.ListSets(misspelt); }), EndsWithError("InvalidArgument", ""));
    SetClient set(requestor, create(manager));
    EXPECT_THAT(end_of([&] { set.Prepare(misspelt); }), EndsWithError("InvalidArgument", ""));
    EXPECT_THAT(end_of([&] { set.Take(misspelt); }), EndsWithError("InvalidArgument", ""));
    EXPECT_THAT(end_of([&] { set.KeepAlive(misspelt); }), EndsWithError("InvalidArgument", ""));
    EXPECT_THAT(end_of([&] { set.Describe(misspelt); }), EndsWithError("InvalidArgument", ""));
    EXPECT_THAT(end_of([&] { set.Delete(misspelt); }), EndsWithError("InvalidArgument", ""));
    EXPECT_EQ(set.State(), "new");
}

TEST_F(OnBus, AVolumeThatIsStuckInTheKernelIsShownAndRefusedUntilItIsBack) {
    world_->point(SimCall::freeze, "/srv/data").close();
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    SetClient set(requestor, create(manager, {{"member_limit_ms", sdbus::Variant(std::uint32_t{50})}}));
    EXPECT_THAT(end_of([&] { set.Take(kNone); }), EndsWithError("DeadlinePassed", "/srv/data did not freeze within its limit of 50 ms"));
    EXPECT_TRUE(set.wait_for("failed"));
    EXPECT_THAT(set.stuck(), ElementsAre("/srv/data"));
    EXPECT_THAT(set.Describe(kNone), HasSubstr("\"stuck\": [\n    \"/srv/data\""));
    EXPECT_THAT(end_of([&] { create(manager); }), EndsWithError("Busy", "/srv/data is stuck in the kernel since the failed set " + set.Id()));
    world_->point(SimCall::freeze, "/srv/data").open();
    CallEnd end{"Busy", ""};
    for (int tries = 0; tries < 500 && end.error == "Busy"; ++tries) {
        std::this_thread::sleep_for(milliseconds(10));
        end = end_of([&] { create(manager); });
    }
    EXPECT_THAT(end, EndsWell()) << "the volume is not free again";
    EXPECT_EQ(world_->point(SimCall::thaw, "/srv/data").calls(), 1U);
    EXPECT_THAT(set.Describe(kNone), HasSubstr("\"stuck\": []"));
}

TEST_F(OnBus, AVolumeIsInOneUnfinishedSetOnly) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    create(manager);
    EXPECT_THAT(end_of([&] { create(manager); }), EndsWithError("Busy", "/srv/data is in the unfinished set"));
}

TEST_F(OnBus, AMountPointThatIsNoUtf8IsListedAllTheSame) {
    machine_.virtio("253:32", "vdc");
    machine_.mount("253:32", "/srv/b\xff\\040d", "ext4", "/dev/vdc");
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    std::vector<std::string> names;
    for (const auto& volume : manager.ListVolumes(kNone)) names.push_back(volume.at("name").get<std::string>());
    EXPECT_THAT(names, Contains("/srv/b\xEF\xBF\xBD d"));
    EXPECT_THAT(names, Contains("/srv/data"));
}

std::vector<std::string> keys_of(const Dict& dict) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : dict) keys.push_back(key);
    return keys;
}

template <typename T>
T value_of(const Dict& dict, const std::string& key) {
    return dict.at(key).get<T>();
}

TEST_F(OnBus, APlanHasTheKeysThatTheInterfaceNamesAndTouchesNothing) {
    provider_->estimate.stores["/srv/data"] = Bytes{1U << 30U};
    auto& space = provider_->estimate.space.emplace_back();
    space.kind = "volume-group";
    space.name = "vg";
    space.needed = Bytes{7};
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    const auto plan = manager.Plan({"/srv/data", "/nowhere"}, {{"sample_ms", sdbus::Variant(std::uint32_t{0})}});
    EXPECT_THAT(keys_of(plan), ElementsAre("carried", "feasible", "graph", "kernel", "levels", "members", "providers", "sample_ms", "skipped", "space",
                                           "warnings", "writers", "writers_error", "writers_left_out"));
    EXPECT_FALSE(value_of<bool>(plan, "feasible")) << "one name leads nowhere";
    EXPECT_EQ(value_of<std::uint32_t>(plan, "sample_ms"), 0U);
    const auto members = value_of<std::vector<Dict>>(plan, "members");
    ASSERT_EQ(members.size(), 2U);
    auto expected = keys_of(manager.ListVolumes(kNone).at(0));
    for (const auto* key : {"provider", "provider_reason", "refusals", "level", "carries", "error_name", "error"}) expected.emplace_back(key);
    EXPECT_THAT(keys_of(members[1]), testing::UnorderedElementsAreArray(expected));
    expected.emplace_back("store");
    EXPECT_THAT(keys_of(members[0]), testing::UnorderedElementsAreArray(expected));
    EXPECT_EQ(value_of<std::string>(members[0], "provider"), "fake");
    EXPECT_EQ(value_of<std::string>(members[0], "error"), "");
    EXPECT_EQ(value_of<std::uint64_t>(members[0], "store"), 1U << 30U);
    EXPECT_EQ(value_of<std::string>(members[1], "error_name"), "org.quiesced1.Error.NoSuchVolume");
    EXPECT_EQ(value_of<std::string>(members[1], "name"), "/nowhere");
    EXPECT_THAT(value_of<std::vector<std::vector<std::string>>>(plan, "levels"), ElementsAre(ElementsAre("/srv/data")));
    const auto needs = value_of<std::vector<Dict>>(plan, "space");
    ASSERT_EQ(needs.size(), 1U);
    EXPECT_THAT(keys_of(needs[0]), ElementsAre("enough", "kind", "name", "needed", "provider", "text", "volumes"));
    const auto graph = value_of<Dict>(plan, "graph");
    const auto nodes = value_of<std::vector<Dict>>(graph, "nodes");
    ASSERT_EQ(nodes.size(), 2U);
    EXPECT_THAT(keys_of(nodes[0]), ElementsAre("id", "kind", "label", "member", "placement"));
    const auto edges = value_of<std::vector<sdbus::Struct<std::string, std::string>>>(graph, "edges");
    ASSERT_EQ(edges.size(), 1U);
    EXPECT_EQ(edges[0].get<1>(), value_of<std::string>(nodes[1], "id"));
    EXPECT_THAT(provider_->calls->all(), IsEmpty());
    EXPECT_THAT(manager.ListSets(kNone), IsEmpty());
}

TEST_F(OnBus, APlanOfAVolumeInAnUnfinishedSetSaysSo) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    SetClient set(requestor, create(manager));
    const Dict quick{{"sample_ms", sdbus::Variant(std::uint32_t{0})}};
    auto members = value_of<std::vector<Dict>>(manager.Plan({"/srv/data"}, quick), "members");
    EXPECT_EQ(value_of<std::string>(members.at(0), "error_name"), "org.quiesced1.Error.Busy");
    set.Abort(kNone);
    const auto plan = manager.Plan({"/srv/data"}, quick);
    EXPECT_TRUE(value_of<bool>(plan, "feasible"));
}

TEST_F(OnBus, EightPlansAtOnceWhileOtherCallsAreAnsweredAndMoreAreRefused) {
    std::promise<void> gate;
    std::atomic<int> inside = 0;
    provider_->during_estimate = [&inside, open = gate.get_future().share()] {
        ++inside;
        open.wait();
    };
    serve();
    const Dict quick{{"sample_ms", sdbus::Variant(std::uint32_t{0})}};
    std::vector<std::unique_ptr<Requestor>> others;
    std::vector<std::future<CallEnd>> plans;
    for (int i = 0; i < 8; ++i) {
        others.push_back(std::make_unique<Requestor>(bus_daemon_->address()));
        plans.push_back(std::async(std::launch::async, [&other = *others.back(), &quick] {
            return end_of([&] { ManagerClient(other).Plan({"/srv/data"}, quick); });
        }));
    }
    const auto limit = Monotonic::now() + std::chrono::seconds(50);
    while (inside < 8 && Monotonic::now() < limit) std::this_thread::sleep_for(milliseconds(5)); // threads of the daemon's: no event
    EXPECT_EQ(inside, 8) << "they wait for each other";
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    EXPECT_THAT(end_of([&] { manager.Plan({"/srv/data"}, quick); }), EndsWithError("LimitReached", "8 plans"));
    EXPECT_THAT(end_of([&] { manager.ListVolumes(kNone); }), EndsWell());
    EXPECT_THAT(end_of([&] { create(manager); }), EndsWell());
    for (const auto& plan : plans) EXPECT_EQ(plan.wait_for(milliseconds(0)), std::future_status::timeout) << "a plan was answered through a closed gate";
    gate.set_value();
    for (auto& plan : plans) EXPECT_THAT(plan.get(), EndsWell());
}

TEST_F(OnBus, APlanUnderWayDoesNotHoldUpTheStop) {
    serve();
    Requestor requestor(bus_daemon_->address());
    auto plan = std::async(std::launch::async, [&requestor] {
        return end_of([&] { ManagerClient(requestor).Plan({}, {{"sample_ms", sdbus::Variant(std::uint32_t{10000})}}); });
    });
    Requestor other(bus_daemon_->address());
    ManagerClient(other).ListVolumes(kNone);
    const auto begin = Monotonic::now();
    bus_->stop();
    EXPECT_LT(Monotonic::now() - begin, std::chrono::seconds(5));
    plan.get(); // answered, or its service gone
}

TEST_F(OnBus, OptionsOfAPlanThatMakeNoSenseAreRefused) {
    serve();
    Requestor requestor(bus_daemon_->address());
    ManagerClient manager(requestor);
    EXPECT_THAT(end_of([&] { manager.Plan({}, {{"sample", sdbus::Variant(std::uint32_t{1})}}); }), EndsWithError("InvalidArgument", "sample_ms"));
    EXPECT_THAT(end_of([&] { manager.Plan({}, {{"sample_ms", sdbus::Variant(std::uint32_t{10001})}}); }), EndsWithError("InvalidArgument", "0 to 10000"));
    EXPECT_THAT(end_of([&] { manager.Plan({}, {{"sample_ms", sdbus::Variant(std::string("1"))}}); }), EndsWithError("InvalidArgument", "type 'u'"));
    EXPECT_THAT(end_of([&] { manager.Plan(std::vector<std::string>(257, "/srv/data"), {}); }), EndsWithError("InvalidArgument", "256"));
}

} // namespace
} // namespace quiesced
