// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/plugin_provider.h"

#include <gmock/gmock.h>

#include <fstream>

#include "../claims.h"
#include "arrays/plugin_connection.h"
#include "fake_plugin.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kFirst = "naa.600140500000000000000000000000a1";
constexpr const char* kSecond = "naa.600140500000000000000000000000a2";
constexpr const char* kCopy = "naa.600140500000000000000000000000B1";

Disk lun(unsigned minor, const std::string& name, const std::string& wwid) {
    Disk disk;
    disk.number = {8, minor};
    disk.name = name;
    disk.size = {1U << 30U};
    disk.placement = Placement::lun;
    disk.transport = "iscsi";
    disk.vendor = "LIO-ORG";
    disk.wwid = wwid;
    disk.target_iqn = "iqn.2024-01.org.example:array";
    disk.lun = 0;
    return disk;
}

BlockNode node(DeviceNumber number, const std::string& name, BlockNode::Kind kind, std::vector<DeviceNumber> lower = {},
               const std::string& dm_uuid = "") {
    BlockNode result;
    result.number = number;
    result.name = name;
    result.kind = kind;
    result.lower = std::move(lower);
    result.dm_uuid = dm_uuid;
    return result;
}

Volume volume(const std::string& name, DeviceNumber device, std::vector<DeviceNumber> leaves) {
    Volume result;
    result.name = name;
    result.devices = {device};
    result.leaves = std::move(leaves);
    return result;
}

/// sda, sdb: two LUNs; sdc: the second LUN over another path; sda1: a partition; vda: a virtual disk; dm-0: LVM over
/// sda and sdb; dm-1: multipath over sdb and sdc; dm-2: its partition 3.
class PluginProviderTest : public testing::Test {
protected:
    PluginProviderTest() {
        std::map<DeviceNumber, Disk> disks{{{8, 0}, lun(0, "sda", kFirst)}, {{8, 16}, lun(16, "sdb", kSecond)}, {{8, 32}, lun(32, "sdc", kSecond)}};
        Disk own;
        own.number = {252, 0};
        own.name = "vda";
        own.wwid = "t10.virtual";
        disks[own.number] = own;
        using Kind = BlockNode::Kind;
        std::map<DeviceNumber, BlockNode> nodes;
        for (const auto& entry : {node({8, 0}, "sda", Kind::disk), node({8, 1}, "sda1", Kind::partition, {{8, 0}}),
                                  node({8, 16}, "sdb", Kind::disk), node({8, 32}, "sdc", Kind::disk), node({252, 0}, "vda", Kind::disk),
                                  node({253, 0}, "dm-0", Kind::device_mapper, {{8, 0}, {8, 16}}, "LVM-x"),
                                  node({253, 1}, "dm-1", Kind::device_mapper, {{8, 16}, {8, 32}}, "mpath-3600"),
                                  node({253, 2}, "dm-2", Kind::device_mapper, {{253, 1}}, "part3-mpath-3600")})
            nodes[entry.number] = entry;
        inventory_ = Inventory({}, BlockGraph(nodes), disks);
        settings_.directory = directory_.path();
        settings_.by_id = directory_.path();
        settings_.device_wait = milliseconds(0);
    }

    void claim_all(FakePlugin& plugin) {
        plugin.answer("claim", {{"claimed", {{{"wwid", kFirst}, {"array_volume", "pool/a"}}, {{"wwid", kSecond}}}}});
    }
    static Json snapshot_of(const char* origin) {
        return {{"origin", origin}, {"snapshot", "pool/snap"}, {"wwid", kCopy}, {"reference", {{"lun", 7}}}};
    }

    TemporaryDirectory directory_;
    PluginSettings settings_;
    Inventory inventory_;
    SetId set_ = SetId::parse("0123456789abcdef").value();
    Volume whole_ = volume("/whole", {8, 0}, {{8, 0}});
    Volume part_ = volume("/part", {8, 1}, {{8, 0}});
    Volume lvm_ = volume("/lvm", {253, 0}, {{8, 0}, {8, 16}});
    Volume multipath_part_ = volume("/multipath", {253, 2}, {{8, 16}, {8, 32}});
    Volume own_ = volume("/own", {252, 0}, {{252, 0}});
};

TEST_F(PluginProviderTest, ASetGoesThroughInOneConnection) {
    FakePlugin plugin(settings_.directory, "exec");
    claim_all(plugin);
    plugin.answer("finish", {{"snapshots", {snapshot_of(kFirst), snapshot_of(kSecond)}}});
    const auto link = directory_.path("wwn-0x600140500000000000000000000000b1");
    std::ofstream(link + "-part1") << "";
    std::ofstream(link + "-part3") << "";

    PluginProvider provider("exec", settings_);
    EXPECT_EQ(provider.name(), "exec");
    EXPECT_THAT(taken(provider.claim({&own_, &part_, &lvm_, &multipath_part_}, inventory_)), ElementsAre(1, 2, 3));
    const auto sent = plugin.last("claim")["disks"];
    ASSERT_EQ(sent.size(), 2U); // each WWID once; the virtual disk is nobody else's business
    EXPECT_EQ(sent[0], (Json{{"wwid", kFirst}, {"vendor", "LIO-ORG"}, {"transport", "iscsi"}, {"target_iqn", "iqn.2024-01.org.example:array"}, {"lun", 0}, {"size_bytes", 1U << 30U}}));

    const int before = plugin.connections();
    const auto session = provider.begin(set_, {&part_, &lvm_, &multipath_part_}, inventory_);
    ASSERT_TRUE(session);
    ASSERT_TRUE((*session)->arm());
    EXPECT_TRUE((*session)->chains().empty());
    ASSERT_TRUE((*session)->commit(Monotonic::now() + milliseconds(1000)));
    const auto records = (*session)->finish();
    ASSERT_TRUE(records) << records.error().message();
    EXPECT_EQ(plugin.connections(), before + 1);
    EXPECT_THAT(plugin.methods(), ElementsAre("claim", "prepare", "commit", "finish"));
    EXPECT_EQ(plugin.last("commit"), plugin.last("prepare"));
    EXPECT_EQ(plugin.last("prepare")["set"], "0123456789abcdef");
    EXPECT_EQ(plugin.last("prepare")["disks"][0]["array_volume"], "pool/a");
    EXPECT_FALSE(plugin.last("prepare")["disks"][1].contains("array_volume"));
    EXPECT_EQ(plugin.last("finish")["map"], true);

    ASSERT_EQ(records->size(), 3U);
    EXPECT_EQ((*records)[0].volume, "/part");
    EXPECT_EQ((*records)[0].provider, "exec");
    EXPECT_EQ((*records)[0].snapshot, "pool/snap");
    EXPECT_EQ((*records)[0].device, link + "-part1");
    EXPECT_EQ((*records)[1].snapshot, "pool/snap, pool/snap");
    EXPECT_EQ((*records)[1].device, ""); // LVM is to be assembled first
    EXPECT_EQ((*records)[2].device, link + "-part3");

    ASSERT_TRUE(provider.remove(set_, *records));
    EXPECT_EQ(plugin.last("delete")["set"], "0123456789abcdef");
    EXPECT_EQ(plugin.last("delete")["snapshots"], Json::array({snapshot_of(kFirst), snapshot_of(kSecond)}));
}

TEST_F(PluginProviderTest, AVolumeIsClaimedOnlyWithAllItsLuns) {
    FakePlugin plugin(settings_.directory, "exec");
    plugin.answer("claim", {{"claimed", {{{"wwid", kFirst}}, {{"wwid", "naa.unasked"}}}}});
    PluginProvider provider("exec", settings_);
    const auto claims = provider.claim({&whole_, &lvm_, &multipath_part_, &part_, &own_}, inventory_);
    EXPECT_THAT(taken(claims), ElementsAre(0, 3));
    EXPECT_THAT(claims[0].reason, AllOf(HasSubstr("the plugin exec knows the LUN"), HasSubstr(kFirst)));
    EXPECT_THAT(claims[2].reason, AllOf(HasSubstr("the plugin does not know the LUN"), HasSubstr(kSecond)));
    EXPECT_THAT(claims[4].reason, HasSubstr("it does not lie on LUNs with a WWID alone (vda: virtual)"));
}

TEST_F(PluginProviderTest, APluginIsNotAskedAboutVirtualDisks) {
    PluginProvider provider("exec", settings_); // and so need not even be there
    const auto claims = provider.claim({&own_}, inventory_);
    EXPECT_FALSE(claims.at(0).taken);
    EXPECT_FALSE(claims.at(0).error);
    const auto session = provider.begin(set_, {&own_}, inventory_);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::no_provider);
}

TEST_F(PluginProviderTest, AMissingPluginSaysHowToStartIt) {
    PluginProvider provider("exec", settings_);
    auto claims = provider.claim({&whole_, &own_}, inventory_);
    ASSERT_TRUE(claims.at(0).error);
    EXPECT_FALSE(claims.at(1).error) << "it would not have been asked about that one";
    EXPECT_EQ(claims.at(0).error->kind, ErrorKind::plugin_missing);
    EXPECT_THAT(claims.at(0).error->message(), HasSubstr("systemctl enable --now quiesced-plugin-exec.socket"));
    { const FakePlugin gone(settings_.directory, "exec"); } // leaves its socket behind
    claims = provider.claim({&whole_}, inventory_);
    ASSERT_TRUE(claims.at(0).error);
    EXPECT_EQ(claims.at(0).error->kind, ErrorKind::plugin_missing);
    const auto session = provider.begin(set_, {&whole_}, inventory_);
    EXPECT_EQ((*session)->arm().error().kind, ErrorKind::plugin_missing);
    EXPECT_TRUE((*session)->disarm());
}

TEST_F(PluginProviderTest, APluginOfAnotherProtocolVersionIsRefused) {
    FakePlugin plugin(settings_.directory, "exec");
    plugin.answer("describe", {{"name", "exec"}, {"protocols", {2}}});
    const auto claims = PluginProvider("exec", settings_).claim({&whole_}, inventory_);
    ASSERT_TRUE(claims.at(0).error);
    EXPECT_THAT(claims.at(0).error->message(), HasSubstr("does not speak version 1"));
}

TEST_F(PluginProviderTest, AFailedPrepareIsAborted) {
    FakePlugin plugin(settings_.directory, "exec");
    plugin.refuse("prepare", "no-space", "pool/a has 3 MiB left; make it larger");
    PluginProvider provider("exec", settings_);
    const auto session = provider.begin(set_, {&whole_}, inventory_);
    const auto armed = (*session)->arm();
    ASSERT_FALSE(armed);
    EXPECT_EQ(armed.error().kind, ErrorKind::no_space);
    EXPECT_EQ(armed.error().message(), "plugin exec: prepare: pool/a has 3 MiB left; make it larger (no-space); for LUN " + std::string(kFirst));
    EXPECT_THAT(plugin.methods(), ElementsAre("prepare", "abort"));
    EXPECT_EQ((*session)->commit(Monotonic::now() + milliseconds(100)).error().kind, ErrorKind::wrong_state);
    EXPECT_TRUE((*session)->disarm());
    EXPECT_EQ(plugin.methods().size(), 2U);
}

TEST_F(PluginProviderTest, AFailedAbortOfAFailedPrepareIsNamed) {
    FakePlugin plugin(settings_.directory, "exec");
    plugin.refuse("prepare", "auth", "wrong password");
    plugin.refuse("abort", "auth", "wrong password");
    const auto session = PluginProvider("exec", settings_).begin(set_, {&whole_}, inventory_);
    const auto armed = (*session)->arm();
    ASSERT_FALSE(armed);
    ASSERT_EQ(armed.error().undone.size(), 1U);
    EXPECT_THAT(armed.error().undone[0], HasSubstr("snapshots of set 0123456789abcdef may be left on the array"));
}

TEST_F(PluginProviderTest, ACommitTakesNoLongerThanItsBudgetOrTheDeadline) {
    FakePlugin plugin(settings_.directory, "exec");
    plugin.react("commit", [](int, const Json&) { return true; }); // silence
    settings_.budgets.commit = milliseconds(80);
    for (const auto limit : {milliseconds(10000), milliseconds(40)}) {
        const auto session = PluginProvider("exec", settings_).begin(set_, {&whole_}, inventory_);
        ASSERT_TRUE((*session)->arm());
        const auto start = Monotonic::now();
        const auto committed = (*session)->commit(start + limit);
        const auto took = Monotonic::now() - start;
        ASSERT_FALSE(committed);
        EXPECT_EQ(committed.error().kind, ErrorKind::deadline);
        EXPECT_GE(took, std::min(limit, milliseconds(80)));
        EXPECT_LT(took, milliseconds(1000));
        EXPECT_TRUE((*session)->disarm());
        EXPECT_EQ(plugin.methods().back(), "abort");
    }
}

TEST_F(PluginProviderTest, AnAbortComesOverANewConnectionAndOnce) {
    FakePlugin plugin(settings_.directory, "exec");
    plugin.react("commit", [](int, const Json&) { return false; }); // dies
    const auto session = PluginProvider("exec", settings_).begin(set_, {&whole_}, inventory_);
    ASSERT_TRUE((*session)->arm());
    const auto committed = (*session)->commit(Monotonic::now() + milliseconds(1000));
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().kind, ErrorKind::plugin_failed);
    EXPECT_THAT(committed.error().message(), HasSubstr("plugin exec: commit: it closed the connection; for LUN " + std::string(kFirst) + ". See: journalctl"));
    EXPECT_TRUE((*session)->disarm());
    EXPECT_TRUE((*session)->disarm());
    EXPECT_THAT(plugin.methods(), ElementsAre("prepare", "commit", "abort"));
    EXPECT_EQ(plugin.last("abort")["set"], "0123456789abcdef");
}

TEST_F(PluginProviderTest, AnAbortThatFailedIsTriedAgain) {
    FakePlugin plugin(settings_.directory, "exec");
    plugin.refuse("abort", "unreachable", "no route");
    const auto session = PluginProvider("exec", settings_).begin(set_, {&whole_}, inventory_);
    ASSERT_TRUE((*session)->arm());
    EXPECT_FALSE((*session)->disarm());
    plugin.refuse("abort", "not-found", "there is no such set"); // which is what an abort wants
    EXPECT_TRUE((*session)->disarm());
    EXPECT_TRUE((*session)->disarm());
    EXPECT_THAT(plugin.methods(), ElementsAre("prepare", "abort", "abort"));
}

TEST_F(PluginProviderTest, FinishGoesOverANewConnectionWhenThePluginHasGone) {
    FakePlugin plugin(settings_.directory, "exec");
    plugin.answer("finish", {{"snapshots", {snapshot_of(kFirst)}}});
    plugin.react("commit", [](int connection, const Json& request) {
        send_text(connection, result_line(request["id"], Json::object()));
        return false; // and dies
    });
    const auto session = PluginProvider("exec", settings_).begin(set_, {&whole_}, inventory_);
    ASSERT_TRUE((*session)->arm());
    ASSERT_TRUE((*session)->commit(Monotonic::now() + milliseconds(1000)));
    const auto records = (*session)->finish();
    ASSERT_TRUE(records) << records.error().message();
    EXPECT_EQ((*records)[0].device, ""); // it never appeared
    EXPECT_EQ(plugin.connections(), 2);
}

TEST_F(PluginProviderTest, AnUnusableFinishIsAnError) {
    FakePlugin plugin(settings_.directory, "exec");
    const auto finish_with = [&](const Json& result) {
        plugin.answer("finish", result);
        const auto session = PluginProvider("exec", settings_).begin(set_, {&whole_}, inventory_);
        EXPECT_TRUE((*session)->arm());
        const auto records = (*session)->finish();
        EXPECT_FALSE(records);
        return records ? std::string() : records.error().message();
    };
    EXPECT_THAT(finish_with(Json::object()), HasSubstr("plugin exec: finish: its result is not usable: it has no list"));
    EXPECT_THAT(finish_with(3), HasSubstr("no list"));
    EXPECT_THAT(finish_with({{"snapshots", {snapshot_of(kSecond)}}}), HasSubstr(std::string("no snapshot of LUN ") + kFirst));
    EXPECT_THAT(finish_with({{"snapshots", {snapshot_of(kFirst), snapshot_of(kFirst)}}}), HasSubstr("two snapshots"));
    auto entry = snapshot_of(kFirst);
    entry["wwid"] = kFirst;
    EXPECT_THAT(finish_with({{"snapshots", {entry}}}), HasSubstr("WWID of its origin"));
    entry = snapshot_of(kFirst);
    entry["device"] = "/dev/../etc/passwd";
    EXPECT_THAT(finish_with({{"snapshots", {entry}}}), HasSubstr("is no device"));
    entry = snapshot_of(kFirst);
    entry["snapshot"] = "a\nb";
    EXPECT_THAT(finish_with({{"snapshots", {entry}}}), HasSubstr("control characters"));
}

TEST_F(PluginProviderTest, RemoveCopesWithARecordThatIsNoJson) {
    FakePlugin plugin(settings_.directory, "exec");
    EXPECT_TRUE(PluginProvider("exec", settings_).remove(set_, {{.volume = "/whole", .provider = "exec", .snapshot = "x", .device = "", .reference = "{oops"}}));
    EXPECT_EQ(plugin.last("delete"), (Json{{"set", "0123456789abcdef"}, {"snapshots", Json::array()}}));
    plugin.refuse("delete", "not-found", "gone");
    EXPECT_TRUE(PluginProvider("exec", settings_).remove(set_, {}));
    plugin.refuse("delete", "busy", "LUN 7 is in use");
    EXPECT_EQ(PluginProvider("exec", settings_).remove(set_, {}).error().kind, ErrorKind::busy);
}

TEST(Plugins, AreFoundByTheirSockets) {
    const TemporaryDirectory directory;
    for (const char* name : {"exec.sock", "other.sock", "Bad_Name.sock", "note.txt", ".sock"}) std::ofstream(directory.path(name)) << "";
    EXPECT_THAT(installed_plugins(directory.path()), ElementsAre("exec", "other"));
    EXPECT_THAT(find_plugins(directory.path("missing")).value(), IsEmpty());
    EXPECT_EQ(PluginConnection::connect("../x", directory.path(), Monotonic::now()).error().kind, ErrorKind::invalid_argument);
}

TEST_F(PluginProviderTest, FindsWhatItsListNamesWithSetOriginAndSnapshot) {
    FakePlugin plugin(settings_.directory, "exec");
    PluginProvider provider("exec", settings_);
    const Json snapshots = {{{"set", set_.text()}, {"origin", kFirst}, {"snapshot", "pool/snap"}},
                            {{"set", "no id"}, {"origin", kFirst}, {"snapshot", "pool/a"}},
                            {{"set", set_.text()}, {"snapshot", "pool/b"}},
                            {{"set", set_.text()}, {"origin", kFirst}}};
    plugin.answer("list", {{"snapshots", snapshots}});
    EXPECT_EQ(provider.find_all().value().size(), 0U) << "without the capability it is not asked";
    EXPECT_TRUE(plugin.methods().empty());
    plugin.answer("describe", {{"name", "exec"}, {"version", "1"}, {"vendor", "test"}, {"protocols", {1}}, {"capabilities", {"list"}}});
    const auto found = provider.find_all();
    ASSERT_TRUE(found) << found.error().message();
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front().set, set_);
    EXPECT_EQ(found->front().origin, kFirst);
    EXPECT_EQ(found->front().record.provider, "exec");
    EXPECT_EQ(found->front().record.snapshot, "pool/snap");
    ASSERT_TRUE(provider.remove(set_, {found->front().record}));
    EXPECT_EQ(plugin.last("delete")["snapshots"][0]["snapshot"], "pool/snap") << "the record is as good as its own";
    plugin.refuse("list", "auth", "wrong password");
    EXPECT_EQ(provider.find_all().error().kind, ErrorKind::plugin_failed);
}

} // namespace
} // namespace quiesced
