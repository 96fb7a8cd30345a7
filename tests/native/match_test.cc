// SPDX-License-Identifier: LGPL-2.1-or-later
// MatchDisks on a private bus, over a machine made of files.
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/child.h"
#include "bus/bus.h"
#include "bus_fixture.h"
#include "program.h"
#include "sequence/set_manager.h"
#include "unit/sequence/sequence_fixture.h"
#include "unit/volumes/match_machine.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Dict kNone;

sdbus::Variant text(const std::string& value) { return sdbus::Variant(value); }
sdbus::Variant number(std::uint64_t value) { return sdbus::Variant(value); }

std::string text_in(const Dict& dict, const char* key) { return dict.at(key).get<std::string>(); }
std::vector<std::string> list_in(const Dict& dict, const char* key) { return dict.at(key).get<std::vector<std::string>>(); }

class MatchOnBus : public testing::Test {
protected:
    MatchOnBus() {
        folder_ = work_folder() + "/match";
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        bus_daemon_ = std::make_unique<PrivateBus>(folder_);
        store_ = std::make_unique<ManifestStore>(folder_ + "/sets");
        machine_.virtio_disk("254:16", "vdb", "0000:00:07.0", "data-0001", 4096);
        machine_.mount("254:16", "/srv", "ext4", "/dev/vdb");
        machine_.multipath();
        machine_.write("boot_id", "11111111-2222\n");
    }
    ~MatchOnBus() override {
        stop();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    void start() {
        auto bus = Bus::connect({.bus = bus_daemon_->address(), .version = "1.2.3"});
        ASSERT_TRUE(bus) << bus.error().message();
        bus_ = std::move(*bus);
        SetManagerOptions options;
        options.paths = machine_.paths();
        options.environment.store = store_.get();
        options.environment.record_directory = folder_;
        options.verdicts = std::make_shared<PlacementVerdicts>(folder_ + "/run", machine_.path("boot_id"));
        ASSERT_TRUE(options.verdicts->load());
        manager_ = std::make_unique<SetManager>(options, [this] { return std::vector<std::shared_ptr<Provider>>{lvm_, array_}; }, *bus_);
        const auto serving = bus_->serve(*manager_, plugins_, [](const std::string& what) { ADD_FAILURE() << what; });
        ASSERT_TRUE(serving) << serving.error().message();
        requestor_ = std::make_unique<Requestor>(bus_daemon_->address());
    }
    void stop() {
        requestor_.reset();
        if (bus_) bus_->stop();
        manager_.reset();
        bus_.reset();
    }
    std::vector<Dict> match(const std::vector<Dict>& disks, const Dict& options = {}) { return ManagerClient(*requestor_).MatchDisks(disks, options); }
    CallEnd refusal(const std::vector<Dict>& disks, const Dict& options = {}) {
        return end_of([&] { match(disks, options); });
    }
    Dict volume(const std::string& name) {
        for (const auto& dict : ManagerClient(*requestor_).ListVolumes(kNone))
            if (text_in(dict, "name") == name) return dict;
        ADD_FAILURE() << "no volume " << name;
        return {};
    }

    std::string folder_;
    DiskMachine machine_;
    std::unique_ptr<PrivateBus> bus_daemon_;
    std::unique_ptr<ManifestStore> store_;
    std::shared_ptr<FakeProvider> lvm_ = std::make_shared<FakeProvider>("lvm", Placement::virtual_disk);
    std::shared_ptr<FakeProvider> array_ = std::make_shared<FakeProvider>("array", Placement::lun);
    std::unique_ptr<Bus> bus_;
    Plugins plugins_; ///< none
    std::unique_ptr<SetManager> manager_;
    std::unique_ptr<Requestor> requestor_;
};

TEST_F(MatchOnBus, EachDiskIsAnsweredInItsPlaceWithWhatItRestsOn) {
    start();
    const auto matches = match({{{"id", text("nobody's")}, {"serial", text("nothing")}},
                                {{"id", text("a")}, {"virtio_serial", text("data-0001")}, {"size", number(4096ULL << 20U)}, {"hctl", text("0:0:0:0")}},
                                {{"id", text("b")}, {"wwid", text("360014050000000000000000000000001")}, {"type", text("raw-device-mapping")}},
                                {{"pci", text("00:02.0")}}});
    ASSERT_EQ(matches.size(), 4U);
    EXPECT_EQ(text_in(matches[0], "id"), "nobody's");
    EXPECT_EQ(text_in(matches[0], "result"), "none");
    EXPECT_EQ(matches[0].size(), 4U);
    EXPECT_EQ(text_in(matches[1], "result"), "matched");
    EXPECT_EQ(text_in(matches[1], "disk"), "vdb");
    EXPECT_EQ(text_in(matches[1], "device"), "/dev/vdb");
    EXPECT_THAT(list_in(matches[1], "paths"), ElementsAre("vdb"));
    EXPECT_THAT(list_in(matches[1], "volumes"), ElementsAre("/srv"));
    EXPECT_THAT(list_in(matches[1], "matched_on"), ElementsAre("virtio_serial=data-0001", "size=4294967296"));
    EXPECT_THAT(list_in(matches[1], "unknown"), ElementsAre("hctl"));
    EXPECT_EQ(text_in(matches[1], "placement"), "virtual");
    EXPECT_THAT(list_in(matches[1], "evidence"), Contains("serial=data-0001"));
    EXPECT_FALSE(matches[1].at("weak").get<bool>());
    EXPECT_EQ(text_in(matches[2], "device"), "/dev/mapper/mpatha");
    EXPECT_EQ(text_in(matches[2], "disk"), "dm-0");
    EXPECT_THAT(list_in(matches[2], "paths"), ElementsAre("sda", "sdb"));
    EXPECT_THAT(list_in(matches[2], "evidence"), Contains("hypervisor=lun"));
    EXPECT_THAT(list_in(matches[2], "contradictions"), IsEmpty());
    EXPECT_EQ(text_in(matches[3], "result"), "none");
    EXPECT_THAT(match({}), IsEmpty());
}

TEST_F(MatchOnBus, TheWordOfTheHypervisorHoldsInLaterCallsAndAfterARestart) {
    start();
    const auto matches = match({{{"serial", text("DATA-0001")}, {"type", text("lun")}, {"wwid", text("0x60014050000000000000000000000009")}}});
    EXPECT_EQ(text_in(matches[0], "placement"), "lun");
    EXPECT_EQ(text_in(matches[0], "guess"), "virtual");
    EXPECT_THAT(list_in(matches[0], "contradictions"), ElementsAre(HasSubstr("The hypervisor says lun, this guest's own facts say virtual")));
    stop();
    start();
    const auto after = volume("/srv");
    EXPECT_EQ(text_in(after, "placement"), "lun");
    EXPECT_THAT(list_in(after, "evidence"), ElementsAre(AllOf(HasSubstr("hypervisor=lun (our guess: virtual)"), HasSubstr("naa.60014050000000000000000000000009"))));
    EXPECT_EQ(text_in(volume("/"), "placement"), "virtual");
    // The provider for LUNs takes it now.
    ManagerClient manager(*requestor_);
    SetClient set(*requestor_, manager.CreateSet({"/srv"}, kNone));
    EXPECT_THAT(set.Describe(kNone), AllOf(HasSubstr("\"array\""), HasSubstr("hypervisor=lun")));
    set.Abort(kNone);
    // And a new word takes the place of the old one.
    match({{{"serial", text("data-0001")}, {"type", text("virtual")}}});
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "virtual");
}

TEST_F(MatchOnBus, WhatIsNotToBeRememberedIsOnlyAnswered) {
    start();
    const std::vector<Dict> said{{{"serial", text("data-0001")}, {"type", text("lun")}}};
    const auto matches = match(said, {{"remember", sdbus::Variant(false)}});
    EXPECT_EQ(text_in(matches[0], "placement"), "virtual");
    EXPECT_THAT(list_in(matches[0], "contradictions"), testing::SizeIs(1));
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "virtual");
    match(said);
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "lun");
    match({}, {{"forget", sdbus::Variant(true)}});
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "virtual");
    EXPECT_THAT(refusal({}, {{"forget", sdbus::Variant(true)}, {"remember", sdbus::Variant(false)}}), EndsWithError("InvalidArgument", "replaces nothing"));
    EXPECT_THAT(refusal({}, {{"forgett", sdbus::Variant(true)}}), EndsWithError("InvalidArgument", "It knows: remember, forget, interactive."));
    EXPECT_THAT(refusal({}, {{"forget", text("yes")}}), EndsWithError("InvalidArgument", "It must be of type 'b'."));
}

TEST_F(MatchOnBus, BadInputNamesTheDiskAndTheKey) {
    start();
    const Dict good{{"serial", text("data-0001")}, {"type", text("lun")}};
    const auto second = [&](const Dict& bad) { return refusal({good, bad}); };
    EXPECT_THAT(second({{"size", text("10")}}), EndsWithError("InvalidArgument", "disk 1: the key 'size' has a value of type 's'. It must be of type 't', in bytes."));
    EXPECT_THAT(second({{"size", sdbus::Variant(std::uint32_t{1})}}), EndsWithError("InvalidArgument", "of type 'u'"));
    EXPECT_THAT(second({{"serial", number(1)}}), EndsWithError("InvalidArgument", "disk 1: the key 'serial' has a value of type 't'. It must be of type 's'."));
    EXPECT_THAT(second({{"wwn", text("x")}}), EndsWithError("InvalidArgument", "disk 1: there is no key 'wwn'. It knows: size, type, id, wwid"));
    EXPECT_THAT(second({{"type", text("disk")}}), EndsWithError("InvalidArgument", "disk 1: the type is 'disk'. It must be virtual, lun or raw-device-mapping."));
    EXPECT_THAT(second({{"pci", text("slot 4")}}), EndsWithError("InvalidArgument", "disk 1: pci is 'slot 4', which is no PCI address"));
    EXPECT_THAT(second({{"hctl", text("1")}}), EndsWithError("InvalidArgument", "disk 1: hctl is '1'"));
    EXPECT_THAT(second({{"serial", text(std::string(4097, 'a'))}}), EndsWithError("InvalidArgument", "the value of 'serial' has 4097 bytes"));
    Dict many;
    for (int i = 0; i < 65; ++i) many["key" + std::to_string(i)] = text("x");
    EXPECT_THAT(second(many), EndsWithError("InvalidArgument", "disk 1: it has 65 keys. It must have at most 64."));
    EXPECT_THAT(refusal(std::vector<Dict>(1025)), EndsWithError("InvalidArgument", "1025 disks were given. Give at most 1024 in a call."));
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "virtual") << "a call that is refused says nothing of the disks before";
    EXPECT_EQ(match(std::vector<Dict>(1024)).size(), 1024U);
    EXPECT_EQ(match({{{"serial", text(std::string(4096, 'a'))}}}).size(), 1U);
}

TEST_F(MatchOnBus, AWordThatCannotBeKeptIsAnErrorAndNotBelieved) {
    start();
    machine_.write("boot_id", "");
    std::filesystem::remove(machine_.path("boot_id"));
    EXPECT_THAT(refusal({{{"serial", text("data-0001")}, {"type", text("lun")}}}), EndsWithError("KernelRefused", "boot_id"));
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "virtual");
}

TEST_F(MatchOnBus, QuiescectlReadsAListAndTellsByItsExitCode) {
    start();
    const auto ctl = [&](std::vector<std::string> arguments, const std::string& input = {}) {
        arguments.insert(arguments.begin(), {QUIESCECTL_BUILT, "--address", bus_daemon_->address(), "match"});
        ChildOptions options;
        options.input = input;
        return run_child(arguments, options).value_or(ChildOutcome{.exit_status = -1, .output = {}, .errors = "not run"});
    };
    const std::string good = R"([{"id": "disk-1", "serial": "data-0001", "size": 4294967296, "type": "lun", "hctl": null}])";
    const auto table = ctl({"-", "--dry-run"}, good);
    EXPECT_EQ(table.exit_status, 0) << table.errors;
    EXPECT_THAT(table.output, AllOf(HasSubstr("RESULT"), HasSubstr("disk-1"), HasSubstr("/dev/vdb"), HasSubstr("The hypervisor says lun")));
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "virtual");
    machine_.write("request.json", good);
    const auto json = ctl({machine_.path("request.json"), "--json"});
    EXPECT_EQ(json.exit_status, 0) << json.errors;
    const auto answer = nlohmann::json::parse(json.output, nullptr, false);
    ASSERT_TRUE(answer.is_array()) << json.output;
    EXPECT_EQ(answer.at(0).at("placement"), "lun");
    EXPECT_EQ(answer.at(0).at("weak"), false);
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "lun");
    EXPECT_EQ(ctl({"-", "--forget"}, "[]").exit_status, 0);
    EXPECT_EQ(text_in(volume("/srv"), "placement"), "virtual");

    EXPECT_EQ(ctl({"-"}, R"([{"serial": "data-0001"}, {"serial": "nobody"}])").exit_status, 4);
    EXPECT_EQ(ctl({"-"}, R"([{"size": 5}])").exit_status, 4);
    const auto refused = ctl({"-"}, R"([{"wwn": "x"}])");
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_THAT(refused.errors, AllOf(HasSubstr("disk 0: there is no key 'wwn'"), HasSubstr("(org.quiesced1.Error.InvalidArgument)")));
    const auto no_list = ctl({"-"}, "{}");
    EXPECT_EQ(no_list.exit_status, 2);
    EXPECT_THAT(no_list.errors, HasSubstr("this is no list"));
    EXPECT_EQ(ctl({"/nowhere.json"}).exit_status, 1);
    EXPECT_EQ(ctl({}).exit_status, 2);
    EXPECT_EQ(ctl({"-", "--forget", "--dry-run"}, "[]").exit_status, 2);
}

} // namespace
} // namespace quiesced
