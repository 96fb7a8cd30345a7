// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole sets over a file system that is really frozen, while the array or its plugin fails. The file system lies on a loop device
// that stands for a LUN; the array is simulated (files), and asked itself what it holds afterwards.
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "arrays/plugin_provider.h"
#include "base/file.h"
#include "loop_volume.h"
#include "native_main.h"
#include "program.h"
#include "sequence/snapshot_set.h"
#include "volumes/inventory.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kUuid = "AbCdEf-0123-4567-89ab-cdef-0123-456789";
constexpr const char* kWwid = "naa.6001405abcdef0123456789abcdef012";
constexpr milliseconds kCommitBudget{700};

std::string g_folder;

void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0600);
}

class PluginFaults : public testing::Test {
protected:
    void SetUp() override {
        for (const char* name : {"array", "credentials", "run", "sockets"}) std::filesystem::remove_all(g_folder + "/" + name);
        for (const char* name : {"/array/pool", "/credentials", "/run", "/sockets"}) std::filesystem::create_directories(g_folder + name);
        write(g_folder + "/array/pool/lun0", "content");
        write(g_folder + "/array/pool/lun0.uuid", kUuid);
        write(g_folder + "/password", "secret-of-the-array\n");
        write(g_folder + "/credentials/san", "secret-of-the-array\n");
        write(g_folder + "/faults", "{}");
        write(g_folder + "/mode", "");
        start_array();
        write(g_folder + "/targetd.conf", "[san]\nplain = yes\nurl = http://127.0.0.1:" + port_ + "/targetrpc\n");
        start_plugin();
        static int number = 0;
        auto volume = LoopVolume::create(g_folder, "lun" + std::to_string(++number), "ext4");
        ASSERT_TRUE(volume) << volume.error().message();
        volume_ = std::move(*volume);
        store_ = std::make_unique<ManifestStore>(g_folder + "/sets");
        settings_.directory = g_folder + "/sockets";
        settings_.budgets.commit = kCommitBudget;
        settings_.device_wait = milliseconds(0);
        provider_ = std::make_shared<PluginProvider>("faulty", settings_);
    }
    void TearDown() override {
        set_.reset();
        volume_.reset();
        plugin_.reset();
        array_.reset();
    }

    /// Its port is kept, so that it can come back.
    void start_array() {
        std::filesystem::remove(g_folder + "/array.log");
        array_.emplace(std::vector<std::string>{"python3", QUIESCED_SOURCE_ROOT "/tests/array/targetd_server.py", "--files", g_folder + "/array", "--password-file",
                                                g_folder + "/password", "--faults", g_folder + "/faults", "--listen", "127.0.0.1:" + (port_.empty() ? "0" : port_)},
                       g_folder + "/array.log");
        wait_until([&] { return array_->output().find('\n') != std::string::npos; });
        const auto said = array_->output();
        port_ = said.substr(said.rfind(':') + 1);
        while (!port_.empty() && port_.back() == '\n') port_.pop_back();
    }
    void start_plugin() {
        const auto socket = g_folder + "/sockets/faulty.sock";
        plugin_.emplace(std::vector<std::string>{"systemd-socket-activate", "--accept", "--inetd", "-l", socket, "-E", "CREDENTIALS_DIRECTORY=" + g_folder + "/credentials",
                                                 "python3", QUIESCED_SOURCE_ROOT "/tests/array/faulty_plugin.py", g_folder + "/mode", QUIESCED_PLUGIN_TARGETD, "--config",
                                                 g_folder + "/targetd.conf", "--runtime-directory", g_folder + "/run", "--sysfs", g_folder + "/sys"},
                        g_folder + "/plugin.log");
        // The socket's file is there with bind(); connections are refused until listen().
        wait_until([&] { return PluginConnection::connect("faulty", g_folder + "/sockets", Monotonic::now()).has_value(); });
    }
    static void wait_until(const std::function<bool()>& condition) {
        const auto deadline = Monotonic::now() + std::chrono::seconds(20);
        while (!condition()) {
            ASSERT_LT(Monotonic::now(), deadline) << "it does not start";
            std::this_thread::sleep_for(milliseconds(10));
        }
    }

    /// The volume as it is mounted, on a disk that is called a LUN.
    [[nodiscard]] SetPlan plan() const {
        auto real = Inventory::read(SystemPaths{});
        const auto found = real.value().resolve(volume_->mount_point());
        PlannedVolume member;
        member.volume = **found;
        member.provider = provider_;
        Disk disk;
        disk.number = member.volume.devices.front();
        disk.name = volume_->device().substr(5);
        disk.placement = Placement::lun;
        disk.wwid = kWwid;
        member.volume.leaves = {disk.number};
        member.volume.placement = Placement::lun;
        BlockNode node;
        node.number = disk.number;
        node.name = disk.name;
        node.kind = BlockNode::Kind::disk;
        return {.members = {std::move(member)}, .carried = {}, .inventory = std::make_shared<const Inventory>(Inventory({}, BlockGraph({{disk.number, node}}), {{disk.number, disk}}))};
    }
    void make_set() {
        SetEnvironment environment;
        environment.make_launcher = [] { return std::make_unique<ProcessLauncher>(QUIESCED_FREEZER_BUILT); };
        environment.make_kernel = [] { return WindowKernel::linux(); };
        environment.store = store_.get();
        environment.record_directory = g_folder;
        SetOptions options;
        options.deadline = std::chrono::seconds(20); // the commit's budget is what ends the window here
        set_ = std::make_unique<SnapshotSet>(SetId::generate().value(), plan(), options, environment, [](State) {});
    }
    /// "" for success.
    std::string run(Step step) {
        std::promise<std::string> done;
        set_->post(step, [&](const Result<void>& result) { done.set_value(result ? "" : result.error().message()); });
        return done.get_future().get();
    }
    [[nodiscard]] static std::vector<std::string> copies() {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(g_folder + "/array/pool"))
            if (const auto name = entry.path().filename().string(); name.find("-q") != std::string::npos && !name.ends_with(".uuid")) names.push_back(name);
        return names;
    }
    /// The set has failed and is undone; the file system was held no longer than a commit may take, and takes writes.
    void expect_undone(const std::string& error, const std::string& words) {
        EXPECT_THAT(error, HasSubstr(words));
        EXPECT_EQ(set_->state(), State::failed);
        const auto manifest = set_->describe();
        EXPECT_NE(manifest.consistency, "filesystem");
        if (manifest.window_ms) {
            EXPECT_LT(*manifest.window_ms, 5000) << "it was frozen for far longer than a commit may take";
        }
        volume_->write_some();
        EXPECT_THAT(copies(), IsEmpty()) << "left on the array";
    }

    std::string port_;
    std::optional<Program> array_;
    std::optional<Program> plugin_;
    PluginSettings settings_;
    std::shared_ptr<PluginProvider> provider_;
    std::unique_ptr<LoopVolume> volume_;
    std::unique_ptr<ManifestStore> store_;
    std::unique_ptr<SnapshotSet> set_;
};

TEST_F(PluginFaults, WithoutAFaultTheSetIsConsistentAndOnTheArray) {
    make_set();
    EXPECT_EQ(run(Step::take), "");
    EXPECT_EQ(set_->describe().consistency, "filesystem");
    EXPECT_EQ(copies().size(), 1U);
    EXPECT_EQ(run(Step::remove), "");
    EXPECT_THAT(copies(), IsEmpty());
}

struct Fault {
    const char* name;
    const char* mode;  ///< of the plugin
    const char* words; ///< of the error
};

class PluginFaultsInTheWindow : public PluginFaults, public testing::WithParamInterface<Fault> {};

TEST_P(PluginFaultsInTheWindow, ThawInTimeAndLeaveNothingOnTheArray) {
    write(g_folder + "/mode", std::string("commit ") + GetParam().mode);
    make_set();
    expect_undone(run(Step::take), GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(Modes, PluginFaultsInTheWindow,
                         testing::Values(Fault{"Killed", "killed", "plugin faulty: commit: "}, Fault{"Hung", "hung", "plugin faulty: commit: "},
                                         Fault{"Closed", "closed", "plugin faulty: commit: "}, Fault{"LateSuccess", "late", "plugin faulty: commit: "},
                                         Fault{"Garbage", "garbage", "answered garbage"}, Fault{"Endless", "endless", "plugin faulty: commit: "},
                                         Fault{"OtherId", "other_id", "plugin faulty: commit: "}),
                         [](const auto& fault) { return std::string(fault.param.name); });

TEST_F(PluginFaults, TwoAnswersInTheWindowFailTheSet) {
    write(g_folder + "/mode", "commit twice");
    make_set();
    // The second may come with the first, or later and then spoil the next call.
    expect_undone(run(Step::take), "plugin faulty: ");
}

TEST_F(PluginFaults, AnArrayThatCutsTooLateFailsTheSetAndItsSnapshotIsRemoved) {
    write(g_folder + "/faults", R"({"vol_copy": {"delay_ms": 1500}})");
    make_set();
    expect_undone(run(Step::take), "plugin faulty: commit: ");
}

TEST_F(PluginFaults, APoolThatFillsUpInTheWindowIsNamed) {
    write(g_folder + "/faults", R"({"vol_copy": {"error": [-303, "Failed to copy volume: insufficient free space"]}})");
    make_set();
    expect_undone(run(Step::take), "array san: cannot snapshot volume lun0 of pool pool");
}

TEST_F(PluginFaults, AnArrayThatIsUnreachableBeforeTheFreezeFreezesNothing) {
    array_.reset();
    make_set();
    const auto error = run(Step::take);
    EXPECT_THAT(error, HasSubstr("plugin faulty: prepare: array san: cannot list its pools"));
    EXPECT_FALSE(set_->describe().window_ms) << "it was frozen";
}

TEST_F(PluginFaults, AWrongPasswordFreezesNothingAndIsNotShown) {
    write(g_folder + "/credentials/san", "not-the-password\n");
    make_set();
    const auto error = run(Step::take);
    EXPECT_THAT(error, HasSubstr("it refuses user admin with the password of the credential san"));
    EXPECT_THAT(error, testing::Not(HasSubstr("not-the-password")));
    EXPECT_FALSE(set_->describe().window_ms) << "it was frozen";
}

TEST_F(PluginFaults, AnArrayThatGoesAwayInTheWindowIsCleanOnceItIsBack) {
    make_set();
    ASSERT_EQ(run(Step::prepare), "");
    ASSERT_EQ(run(Step::freeze), "");
    array_->signal(SIGSTOP); // what is sent to it is carried out when it goes on: after everybody has given up
    const auto error = run(Step::snapshot);
    EXPECT_THAT(error, HasSubstr("plugin faulty: commit: "));
    EXPECT_EQ(set_->state(), State::failed);
    EXPECT_LT(set_->describe().window_ms.value_or(1e9), 5000);
    volume_->write_some();
    array_->signal(SIGCONT);
    // The daemon asks again until it is done.
    EXPECT_TRUE(provider_->abandon(set_->id()));
    EXPECT_THAT(copies(), IsEmpty());
}

TEST_F(PluginFaults, AnArrayThatGoesAwayAfterTheCutIsCleanOnceItIsBack) {
    make_set();
    for (const auto step : {Step::prepare, Step::freeze, Step::snapshot, Step::thaw}) ASSERT_EQ(run(step), "");
    array_.reset();
    EXPECT_THAT(run(Step::finish), HasSubstr("plugin faulty: finish: array san: cannot list"));
    EXPECT_EQ(set_->state(), State::failed);
    EXPECT_THAT(set_->describe().error, HasSubstr("may be left on the array")) << "who undoes it by hand must know";
    EXPECT_EQ(copies().size(), 1U);
    start_array();
    EXPECT_TRUE(provider_->abandon(set_->id()));
    EXPECT_THAT(copies(), IsEmpty());
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    std::string folder = "/tmp/quiesced-plugin-faults-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return EXIT_FAILURE;
    quiesced::g_folder = folder;
    quiesced::LeakCheck check;
    check.freezer = QUIESCED_FREEZER_BUILT;
    check.loop_backing = folder;
    check.records = folder;
    return quiesced::run_native_tests(argc, argv, std::move(check), folder);
}
