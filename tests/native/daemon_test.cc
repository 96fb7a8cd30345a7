// SPDX-License-Identifier: LGPL-2.1-or-later
// The real daemon and the real quiescectl on a private bus, over loop devices of the test's own. This machine has no
// device that a snapshot can be taken of: what is refused is tried here, what succeeds in bus_test.cc and in the guest.
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "bus_fixture.h"
#include "loop_volume.h"
#include "notify_socket.h"
#include "program.h"
#include "snapshot/manifest.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Dict kNone;
constexpr const char* kKept = "6560000000000001";

struct Printed {
    int status = -1;
    std::string output;
    std::string errors;
};

Printed run_program(const std::vector<std::string>& argv) {
    const auto outcome = run_child(argv);
    if (!outcome) return {-1, {}, outcome.error().message()};
    return {outcome->exit_status, outcome->output, outcome->errors};
}

class Daemon : public testing::Test {
protected:
    Daemon() {
        folder_ = work_folder() + "/daemon";
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        bus_ = std::make_unique<PrivateBus>(folder_);
        notify_ = std::make_unique<NotifySocket>(folder_ + "/notify");
    }
    ~Daemon() override {
        requestor_.reset();
        daemon_.reset();
        volume_.reset();
        bus_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::vector<std::string> command() {
        return {QUIESCED_BUILT, "--bus", bus_->address(), "--state-directory", folder_ + "/state", "--run-directory", folder_ + "/run",
                "--plugin-directory", folder_ + "/plugins", "--freezer", QUIESCED_FREEZER_BUILT, "--hooks-directory", folder_ + "/hooks",
                "--writers-directory", folder_ + "/writers"};
    }
    void start() {
        const auto begin = Monotonic::now();
        daemon_ = std::make_unique<Program>(command(), log(), std::vector{notify_->variable()});
        ASSERT_TRUE(notify_->wait_for("READY=1")) << daemon_->output();
        RecordProperty("ready_ms", std::to_string(to_ms(Monotonic::now() - begin)));
        requestor_ = std::make_unique<Requestor>(bus_->address());
    }
    void mount_volume() {
        auto volume = LoopVolume::create(folder_, "data", "ext4");
        ASSERT_TRUE(volume) << volume.error().message();
        volume_ = std::move(*volume);
    }
    void keep_a_set(const std::string& provider) {
        Manifest manifest;
        manifest.id = kKept;
        manifest.state = "complete";
        manifest.consistency = "filesystem";
        manifest.created = "2026-01-02T03:04:05Z";
        manifest.window_ms = 5;
        ManifestMember member;
        member.volume = "/srv/data";
        member.placement = "lun";
        member.provider = provider;
        member.snapshot = "array/data-1";
        member.frozen_at_ms = 1;
        member.freeze_ms = 1;
        member.hold_ms = 3;
        manifest.members.push_back(member);
        manifest.timeline.push_back({.what = "arm", .start_ms = -20, .length_ms = 10});
        ASSERT_TRUE(ManifestStore(folder_ + "/state/sets").save(manifest));
    }
    CallEnd refusal(const std::vector<std::string>& volumes, const Dict& options = {}) {
        ManagerClient manager(*requestor_);
        const auto end = end_of([&] { manager.CreateSet(volumes, options); });
        EXPECT_THAT(manager.ListSets(kNone), IsEmpty()) << "a refused set is none";
        return end;
    }
    Printed ctl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {QUIESCECTL_BUILT, "--address", bus_->address()});
        return run_program(arguments);
    }
    [[nodiscard]] std::string log() const { return folder_ + "/daemon.log"; }

    std::string folder_;
    std::unique_ptr<PrivateBus> bus_;
    std::unique_ptr<NotifySocket> notify_;
    std::unique_ptr<LoopVolume> volume_;
    std::unique_ptr<Program> daemon_;
    std::unique_ptr<Requestor> requestor_;
};

TEST_F(Daemon, ListsAMountedVolumeWithItsDevice) {
    mount_volume();
    start();
    for (const auto& volume : ManagerClient(*requestor_).ListVolumes(kNone)) {
        if (volume.at("name").get<std::string>() != volume_->mount_point()) continue;
        EXPECT_EQ(volume.at("device").get<std::string>(), volume_->device());
        EXPECT_EQ(volume.at("file_system").get<std::string>(), "ext4");
        EXPECT_EQ(volume.at("size").get<std::uint64_t>(), 64U << 20U);
        EXPECT_EQ(volume.at("placement").get<std::string>(), "virtual");
        EXPECT_EQ(volume.at("uuid").get<std::string>().size(), 36U);
        EXPECT_THAT(volume.at("mount_points").get<std::vector<std::string>>(), ElementsAre(volume_->mount_point()));
        EXPECT_EQ(volume.at("disks").get<std::vector<std::string>>().size(), 1U);
        EXPECT_EQ(volume.size(), 13U) << "every key that the interface names";
        return;
    }
    FAIL() << "it is not in the list";
}

TEST_F(Daemon, WhatCanBeNoMemberIsRefusedWithANameAndWhatToDo) {
    mount_volume();
    start();
    const auto& mount = volume_->mount_point();
    std::filesystem::create_directory(mount + "/folder");
    const auto tmpfs = folder_ + "/tmpfs";
    std::filesystem::create_directory(tmpfs);
    ASSERT_EQ(::mount("none", tmpfs.c_str(), "tmpfs", 0, "size=1m"), 0);
    EXPECT_THAT(refusal({"/nowhere"}), EndsWithError("NoSuchVolume", "See the volumes of this machine with: quiescectl volumes"));
    EXPECT_THAT(refusal({"data"}), EndsWithError("InvalidArgument", "Give a mount point, a device"));
    EXPECT_THAT(refusal({"UUID=00000000-0000-0000-0000-000000000000"}), EndsWithError("NoSuchVolume", "quiescectl volumes"));
    EXPECT_THAT(refusal({mount + "/folder"}), EndsWithError("NotMounted", "or name " + mount));
    EXPECT_THAT(refusal({tmpfs}), EndsWithError("Unsupported", "Leave it out of the set"));
    EXPECT_THAT(refusal({mount}), EndsWithError("LoopBacking", "lies in a loop file"));
    EXPECT_THAT(refusal({}), EndsWithError("InvalidArgument", "at least one volume"));
    EXPECT_THAT(refusal(std::vector<std::string>(257, mount)), EndsWithError("InvalidArgument", "at most 256"));
    EXPECT_THAT(refusal({mount}, {{"bindd", sdbus::Variant(true)}}), EndsWithError("InvalidArgument", "It knows: deadline_ms, "));
    EXPECT_EQ(::umount2(tmpfs.c_str(), 0), 0);
    daemon_->signal(SIGTERM);
    EXPECT_EQ(daemon_->wait(seconds(20)), 0);
}

TEST_F(Daemon, APlanOfThisMachineNamesWhatIsSkippedAndListsTheWritersWithoutRunningThem) {
    mount_volume();
    std::filesystem::create_directories(folder_ + "/hooks");
    const auto ran = folder_ + "/ran";
    std::ofstream(folder_ + "/hooks/10-db") << "#!/bin/sh\ntouch " << ran << "\n";
    std::ofstream(folder_ + "/hooks/20-notes") << "no program";
    ASSERT_EQ(::chmod((folder_ + "/hooks/10-db").c_str(), 0755), 0);
    start();
    const auto& mount = volume_->mount_point();
    ManagerClient manager(*requestor_);
    const Dict quick{{"sample_ms", sdbus::Variant(std::uint32_t{0})}};
    const auto all = manager.Plan({}, quick);
    std::map<std::string, std::string> skipped;
    for (const auto& volume : all.at("skipped").get<std::vector<Dict>>()) {
        EXPECT_NE(volume.at("reason").get<std::string>(), "") << volume.at("name").get<std::string>();
        skipped[volume.at("name").get<std::string>()] = volume.at("error_name").get<std::string>();
    }
    EXPECT_EQ(skipped[mount], "org.quiesced1.Error.LoopBacking");
    EXPECT_EQ(skipped["/proc"], "org.quiesced1.Error.Unsupported");
    const auto writers = all.at("writers").get<std::vector<Dict>>();
    ASSERT_EQ(writers.size(), 1U);
    EXPECT_EQ(writers[0].at("path").get<std::string>(), folder_ + "/hooks/10-db");
    EXPECT_THAT(all.at("writers_left_out").get<std::vector<std::string>>(), ElementsAre(HasSubstr("20-notes")));
    EXPECT_FALSE(std::filesystem::exists(ran));

    // Writable by others: Freeze would refuse to run any.
    ASSERT_EQ(::chmod((folder_ + "/hooks/10-db").c_str(), 0777), 0);
    const auto named = manager.Plan({mount}, quick);
    EXPECT_THAT(named.at("writers_error").get<std::string>(), HasSubstr("writable by others"));
    EXPECT_FALSE(named.at("feasible").get<bool>());
    EXPECT_THAT(named.at("skipped").get<std::vector<Dict>>(), IsEmpty());
    const auto members = named.at("members").get<std::vector<Dict>>();
    ASSERT_EQ(members.size(), 1U);
    EXPECT_EQ(members[0].at("error").get<std::string>(), refusal({mount}).message) << "the very words of CreateSet";
}

TEST_F(Daemon, APlanMeasuresTheWritesOfTheLastSecond) {
    mount_volume();
    start();
    ManagerClient manager(*requestor_);
    const auto& mount = volume_->mount_point();
    auto plan = std::async(std::launch::async, [&] { return manager.Plan({mount}, kNone); });
    const std::string block(1U << 20U, 'x');
    while (plan.wait_for(milliseconds(0)) != std::future_status::ready) {
        std::ofstream(mount + "/written") << block;
        ASSERT_EQ(run_program({"sync", "-f", mount}).status, 0);
    }
    const auto written = plan.get();
    EXPECT_GE(written.at("sample_ms").get<std::uint32_t>(), 1000U);
    const auto members = written.at("members").get<std::vector<Dict>>();
    EXPECT_GE(members.at(0).at("write_rate").get<std::uint64_t>(), 1U << 20U);
    const auto idle = manager.Plan({mount}, {{"sample_ms", sdbus::Variant(std::uint32_t{50})}}).at("members").get<std::vector<Dict>>();
    EXPECT_LT(idle.at(0).at("write_rate").get<std::uint64_t>(), members.at(0).at("write_rate").get<std::uint64_t>());
}

TEST_F(Daemon, AMountOverItsOwnLoopFileIsRefused) {
    auto volume = LoopVolume::create(folder_, "inner", "ext4");
    ASSERT_TRUE(volume) << volume.error().message();
    // Once more, over the folder that its file lies in: the path of the file is now one on itself.
    const auto over = folder_ + "/over";
    std::filesystem::create_directory(over);
    const auto image = over + "/disk.img";
    ASSERT_EQ(run_program({"truncate", "--size=64M", image}).status, 0);
    ASSERT_EQ(run_program({"mkfs.ext4", "-q", "-F", image}).status, 0);
    ASSERT_EQ(run_program({"mount", "-o", "loop", image, over}).status, 0);
    start();
    EXPECT_THAT(refusal({over}), EndsWithError("LoopBacking", "lies in a loop file"));
    EXPECT_EQ(::umount2(over.c_str(), 0), 0);
}

TEST_F(Daemon, KeptSetsAreThereAfterAStartAndStepsOnThemAreRefused) {
    keep_a_set("gone");
    start();
    ManagerClient manager(*requestor_);
    EXPECT_THAT(manager.ListSets(kNone), ElementsAre("/org/quiesced1/set/" + std::string(kKept)));
    SetClient set(*requestor_, "/org/quiesced1/set/" + std::string(kKept));
    EXPECT_EQ(set.State(), "complete");
    EXPECT_THAT(end_of([&] { set.Freeze(kNone); }), EndsWithError("WrongState", "is 'complete'"));
    EXPECT_THAT(end_of([&] { set.Abort(kNone); }), EndsWithError("WrongState", "Remove it with Delete"));
    EXPECT_THAT(end_of([&] { set.Delete(kNone); }), EndsWithError("PluginMissing", "'gone'"));
    EXPECT_EQ(set.State(), "complete") << "nothing was lost";
}

TEST_F(Daemon, QuiescectlTellsByItsExitCode) {
    keep_a_set("gone");
    mount_volume();
    EXPECT_THAT(ctl({"volumes"}), AllOf(testing::Field(&Printed::status, 3), testing::Field(&Printed::errors, HasSubstr("systemctl start quiesced"))));
    start();
    const auto table = ctl({"volumes"});
    EXPECT_EQ(table.status, 0) << table.errors;
    EXPECT_THAT(table.output, HasSubstr("NAME"));
    EXPECT_THAT(table.output, testing::Not(HasSubstr("proc")));

    const auto list = nlohmann::json::parse(ctl({"volumes", "--json"}).output);
    EXPECT_TRUE(std::any_of(list.begin(), list.end(), [&](const auto& volume) { return volume.at("name") == volume_->mount_point(); }));

    const auto refused = ctl({"snapshot", "/nowhere"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.errors, AllOf(HasSubstr("'/nowhere' names no volume"), HasSubstr("(org.quiesced1.Error.NoSuchVolume)")));
    EXPECT_EQ(refused.output, "");

    const auto sets = ctl({"show"});
    EXPECT_EQ(sets.status, 0);
    EXPECT_THAT(sets.output, HasSubstr(kKept));
    const auto all = nlohmann::json::parse(ctl({"show", "--json"}).output);
    EXPECT_EQ(all.at(0).at("id"), kKept);
    const auto shown = ctl({"show", kKept});
    EXPECT_THAT(shown.output, AllOf(HasSubstr("array/data-1"), HasSubstr("WINDOW")));
    SetClient set(*requestor_, "/org/quiesced1/set/" + std::string(kKept));
    EXPECT_EQ(ctl({"show", "--json", kKept}).output, set.Describe(kNone)) << "exactly the manifest";

    const auto unknown = ctl({"show", "6560000000000099"});
    EXPECT_EQ(unknown.status, 1);
    EXPECT_THAT(unknown.errors, AllOf(HasSubstr("there is no snapshot set"), HasSubstr("(org.quiesced1.Error.NoSuchSet)")));
    EXPECT_EQ(ctl({"delete", "../../etc"}).status, 1);
    EXPECT_THAT(ctl({"delete", kKept}).errors, HasSubstr("PluginMissing"));

    EXPECT_EQ(ctl({}).status, 2);
    EXPECT_EQ(ctl({"snapshot"}).status, 2);
    EXPECT_EQ(ctl({"snapshot", "--deadline", "5", "/"}).status, 2) << "refused before anything is asked";
    EXPECT_EQ(ctl({"frobnicate"}).status, 2);
    EXPECT_EQ(ctl({"--help"}).status, 0);
    EXPECT_THAT(ctl({"--version"}).output, HasSubstr("quiescectl "));
    EXPECT_EQ(run_program({QUIESCECTL_BUILT, "--bus", "unix:path=/nowhere", "show"}).status, 3);
}

TEST_F(Daemon, ASecondDaemonOnTheSameBusGivesUp) {
    start();
    const auto second = run_program(command());
    EXPECT_EQ(second.status, 1);
    EXPECT_THAT(second.errors, HasSubstr("Either another quiesced is running"));
}

TEST_F(Daemon, WithoutABusItSaysSoAndFails) {
    auto argv = command();
    argv[2] = "unix:path=/nowhere/bus";
    const auto failed = run_program(argv);
    EXPECT_EQ(failed.status, 1);
    EXPECT_THAT(failed.errors, HasSubstr("cannot connect to the bus 'unix:path=/nowhere/bus'"));
}

TEST_F(Daemon, ALostBusEndsItWithAnError) {
    start();
    requestor_.reset();
    bus_->program().signal(SIGKILL);
    EXPECT_EQ(daemon_->wait(seconds(20)), 1);
    EXPECT_THAT(daemon_->output(), HasSubstr("the connection to the bus is lost"));
}

TEST_F(Daemon, TheJournalGetsPrioritiesAndStopIsTold) {
    // systemd says by device and inode which stream is the journal's.
    std::ofstream(log()).close();
    struct stat status {};
    ASSERT_EQ(::stat(log().c_str(), &status), 0);
    daemon_ = std::make_unique<Program>(command(), log(),
                                        std::vector{notify_->variable(), "JOURNAL_STREAM=" + std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)});
    ASSERT_TRUE(notify_->wait_for("READY=1")) << daemon_->output();
    daemon_->signal(SIGTERM);
    EXPECT_TRUE(notify_->wait_for("STOPPING=1"));
    EXPECT_EQ(daemon_->wait(seconds(20)), 0);
    EXPECT_THAT(daemon_->output(), AllOf(HasSubstr("<6>quiesced "), HasSubstr("<6>stopping\n")));
}

TEST_F(Daemon, RecoverHasNothingToDoAfterACleanEnd) {
    auto argv = command();
    argv.emplace_back("--recover");
    const auto done = run_program(argv);
    EXPECT_EQ(done.status, 0) << done.errors;
    EXPECT_THAT(done.errors, HasSubstr("nothing was left frozen or suspended"));
    // A record that cannot be read is kept and reported.
    std::filesystem::create_directories(folder_ + "/run");
    std::ofstream(folder_ + "/run/6560000000000002.window") << "no record";
    const auto failed = run_program(argv);
    EXPECT_EQ(failed.status, 1);
    EXPECT_THAT(failed.errors, HasSubstr("6560000000000002"));
    std::filesystem::remove(folder_ + "/run/6560000000000002.window");
}

TEST_F(Daemon, AnEmergencyNeedsNoBusAndSaysWhatItDid) {
    auto argv = command();
    for (auto& argument : argv)
        if (argument.find("unix:") != std::string::npos) argument = "--bus=unix:path=/nonexistent";
    argv.emplace_back("--emergency");
    const auto alone = run_program(argv);
    EXPECT_NE(alone.status, 0) << "it is a way of --recover";
    argv.emplace_back("--recover");
    const auto done = run_program(argv);
    EXPECT_EQ(done.status, 0) << done.errors;
    EXPECT_EQ(done.errors, "No record names anything that is frozen, suspended or primed.\n");
    std::filesystem::create_directories(folder_ + "/run");
    std::ofstream(folder_ + "/run/6560000000000002.window") << "no record";
    const auto failed = run_program(argv);
    EXPECT_EQ(failed.status, 1);
    EXPECT_THAT(failed.errors, HasSubstr("set 6560000000000002: NOT DONE: "));
    EXPECT_THAT(failed.errors, HasSubstr("SysRq-j"));
    std::filesystem::remove(folder_ + "/run/6560000000000002.window");
}

} // namespace
} // namespace quiesced
