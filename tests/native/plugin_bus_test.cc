// SPDX-License-Identifier: LGPL-2.1-or-later
// ListPlugins and the plugins' objects on a private bus, with plugins in threads behind sockets of their own.
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/child.h"
#include "bus/bus.h"
#include "bus_fixture.h"
#include "ctl/client.h"
#include "program.h"
#include "sequence/set_manager.h"
#include "unit/arrays/fake_plugin.h"
#include "unit/volumes/match_machine.h"

namespace quiesced {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PluginsOnBus : public testing::Test {
protected:
    PluginsOnBus() {
        folder_ = work_folder() + "/plugins";
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_ + "/sockets");
        machine_.multipath();
        bus_daemon_ = std::make_unique<PrivateBus>(folder_);
        store_ = std::make_unique<ManifestStore>(folder_ + "/sets");
        PluginSettings settings;
        settings.directory = folder_ + "/sockets";
        plugins_ = std::make_unique<Plugins>(settings);
        bus_ = std::move(Bus::connect({.bus = bus_daemon_->address(), .version = "1.2.3"}).value());
        SetManagerOptions options;
        options.paths = machine_.paths();
        options.environment.store = store_.get();
        options.environment.record_directory = folder_;
        manager_ = std::make_unique<SetManager>(options, [this] { return plugins_->providers(); }, *bus_);
    }
    ~PluginsOnBus() override {
        bus_->stop();
        manager_.reset();
        bus_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    Client client() {
        const auto serving = bus_->serve(*manager_, *plugins_, [](const std::string& what) { ADD_FAILURE() << what; });
        EXPECT_TRUE(serving) << serving.error().message();
        return Client::connect({.bus = bus_daemon_->address(), .host = {}, .machine = {}}).value();
    }
    [[nodiscard]] std::string sockets() const { return folder_ + "/sockets"; }

    static std::vector<std::string> methods(const Json& plugin) {
        std::vector<std::string> names;
        for (const auto& call : plugin["Calls"]) names.push_back(call["method"]);
        return names;
    }

    std::string folder_;
    DiskMachine machine_;
    std::unique_ptr<PrivateBus> bus_daemon_;
    std::unique_ptr<ManifestStore> store_;
    std::unique_ptr<Plugins> plugins_;
    std::unique_ptr<Bus> bus_;
    std::unique_ptr<SetManager> manager_;
};

TEST_F(PluginsOnBus, ARefreshAsksEachForItsVersionAndItsLuns) {
    FakePlugin plugin(sockets(), "my-array");
    plugin.answer("claim", {{"claimed", {{{"wwid", kLunWwid}, {"array_volume", "box:pool/lun0"}}}}});
    plugin.answer("describe", {{"name", "my-array"}, {"version", "1"}, {"vendor", "test"}, {"protocols", {1}}, {"capabilities", {"list"}}});
    plugin.answer("list", {{"snapshots", {{{"set", "0123456789abcdef"}, {"snapshot", "box:pool/lun0-q"}}, {{"set", "no id"}, {"snapshot", "x"}}}}});
    auto client = this->client();
    const auto known = client.plugins(false).value();
    ASSERT_EQ(known.size(), 1U);
    EXPECT_EQ(known[0]["Name"], "my-array");
    EXPECT_EQ(known[0]["State"], "unknown") << "nobody has asked it";
    EXPECT_EQ(plugin.connections(), 0);

    const auto asked = client.plugins(true).value();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0]["State"], "ready");
    EXPECT_EQ(asked[0]["Error"], "");
    EXPECT_EQ(asked[0]["Version"], "1");
    EXPECT_EQ(asked[0]["Vendor"], "test");
    EXPECT_EQ(asked[0]["Luns"], (Json::array({{{"wwid", kLunWwid}, {"array_volume", "box:pool/lun0"}}})));
    EXPECT_THAT(methods(asked[0]), ElementsAre("claim", "describe", "list"));
    EXPECT_EQ(asked[0]["Snapshots"], (Json::array({{{"set", "0123456789abcdef"}, {"snapshot", "box:pool/lun0-q"}}})));
    EXPECT_GT(asked[0]["Calls"][0]["took_us"], 0);
    EXPECT_EQ(plugin.last("claim")["disks"].size(), 1U) << "each LUN once, however many paths lead to it";

    plugin.answer("claim", {{"claimed", Json::array()}});
    EXPECT_EQ(client.plugins(true).value()[0]["Luns"], Json::array()) << "what it knows no longer is none of its own";
}

TEST_F(PluginsOnBus, OneThatFailsSaysWhyBesideTheOthers) {
    FakePlugin good(sockets(), "good");
    good.answer("claim", {{"claimed", Json::array()}});
    FakePlugin bad(sockets(), "bad");
    bad.answer("describe", {{"name", "bad"}, {"protocols", {7}}});
    auto client = this->client();
    auto plugins = client.plugins(true).value();
    ASSERT_EQ(plugins.size(), 2U);
    EXPECT_EQ(plugins[0]["State"], "failed");
    EXPECT_THAT(plugins[0]["Error"].get<std::string>(), HasSubstr("plugin bad: describe: it does not speak version 1"));
    EXPECT_EQ(plugins[1]["State"], "ready");

    good.refuse("claim", "unreachable", "array box does not answer");
    plugins = client.plugins(true).value();
    EXPECT_EQ(plugins[1]["State"], "ready") << "it is the array that fails";
    EXPECT_THAT(plugins[1]["Calls"][0]["error"].get<std::string>(), HasSubstr("array box does not answer (unreachable)"));
}

TEST_F(PluginsOnBus, ObjectsComeAndGoWithTheirSockets) {
    auto client = this->client();
    EXPECT_THAT(client.plugins(true).value(), IsEmpty());
    {
        FakePlugin plugin(sockets(), "late");
        EXPECT_EQ(client.plugins(false).value().size(), 1U);
    }
    EXPECT_EQ(client.plugins(true).value()[0]["State"], "failed") << "its socket's file is left, and nobody listens";
    std::filesystem::remove(sockets() + "/late.sock");
    EXPECT_THAT(client.plugins(true).value(), IsEmpty());
    const auto done = run_child({"busctl", "--address=" + bus_daemon_->address(), "introspect", "org.quiesced1", "/org/quiesced1/plugin/late", "org.quiesced1.Plugin"});
    EXPECT_NE(done.value().exit_status, 0) << "the object is still there: " << done->output;
}

} // namespace
} // namespace quiesced
