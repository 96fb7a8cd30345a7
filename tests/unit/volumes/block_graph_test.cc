// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/block_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace quiesced {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr auto kGroup = "LVM-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

TEST(BlockGraph, LayersAreFollowedDownToTheDisks) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.partition("254:1", "254:0", "vda1");
    fixture.virtio("254:16", "vdb");
    fixture.dm("253:0", "vg-lv", std::string(kGroup) + "1", {"254:1", "254:16"});
    const auto graph = BlockGraph::read(fixture.sysfs(), fixture.probe()).value();

    const auto* volume = graph.find({253, 0});
    ASSERT_NE(volume, nullptr);
    EXPECT_EQ(volume->kind, BlockNode::Kind::device_mapper);
    EXPECT_EQ(volume->name, "dm-0");
    EXPECT_EQ(volume->path(), "/dev/mapper/vg-lv");
    EXPECT_EQ(volume->size, (Bytes{1U << 30U}));
    EXPECT_FALSE(volume->lvm_internal());
    EXPECT_EQ(graph.find({254, 1})->kind, BlockNode::Kind::partition);
    EXPECT_THAT(graph.find({254, 1})->lower, ElementsAre(DeviceNumber{254, 0}));
    EXPECT_THAT(graph.leaves({253, 0}).value(), UnorderedElementsAre(DeviceNumber{254, 0}, DeviceNumber{254, 16}));
}

TEST(BlockGraph, ALeafThatIsReachedTwiceIsListedOnce) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.partition("254:1", "254:0", "vda1");
    fixture.partition("254:2", "254:0", "vda2");
    fixture.dm("253:0", "vg-lv", "", {"254:1", "254:2"});
    const auto graph = BlockGraph::read(fixture.sysfs()).value();
    EXPECT_THAT(graph.leaves({253, 0}).value(), ElementsAre(DeviceNumber{254, 0}));
}

TEST(BlockGraph, ACycleIsAnErrorOfThatDeviceOnly) {
    std::map<DeviceNumber, BlockNode> nodes;
    for (std::uint32_t minor = 0; minor < 3; ++minor) nodes[{253, minor}].number = {253, minor};
    nodes[{253, 0}].lower = {{253, 1}};
    nodes[{253, 1}].lower = {{253, 0}};
    const BlockGraph graph(nodes);
    EXPECT_EQ(graph.leaves({253, 0}).error().kind, ErrorKind::unsupported);
    EXPECT_THAT(graph.leaves({253, 2}).value(), ElementsAre(DeviceNumber{253, 2}));
}

TEST(BlockGraph, SixtyFourLayersAreFollowedAndMoreAreNot) {
    std::map<DeviceNumber, BlockNode> nodes;
    for (std::uint32_t minor = 0; minor < 70; ++minor) {
        nodes[{253, minor}].number = {253, minor};
        if (minor > 0) nodes[{253, minor}].lower = {{253, minor - 1}};
    }
    const BlockGraph graph(nodes);
    EXPECT_THAT(graph.leaves({253, 64}).value(), ElementsAre(DeviceNumber{253, 0}));
    EXPECT_EQ(graph.leaves({253, 65}).error().kind, ErrorKind::unsupported);
}

TEST(BlockGraph, ADeviceWhoseLowerOneVanishedIsAnError) {
    std::map<DeviceNumber, BlockNode> nodes;
    nodes[{253, 0}].lower = {{8, 0}};
    EXPECT_EQ(BlockGraph(nodes).leaves({253, 0}).error().kind, ErrorKind::io);
}

TEST(BlockGraph, GarbageInSysfsCostsThatDeviceOnly) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.virtio("254:16", "vdb");
    fixture.attribute("254:16", "size", "\xff\xfe many");
    fixture.attribute("254:16", "slaves/sdz/dev", "no number");
    std::filesystem::create_symlink("../../devices/gone", fixture.path("sys/dev/block/8:0"));
    fixture.write("sys/dev/block/README", "not a device");
    const auto graph = BlockGraph::read(fixture.sysfs()).value();
    EXPECT_EQ(graph.nodes().size(), 2U);
    EXPECT_EQ(graph.find({254, 16})->size, Bytes{0});
    EXPECT_THAT(graph.find({254, 16})->lower, IsEmpty());
}

TEST(BlockGraph, OnlyLoopDevicesWithAFileAreAsked) {
    Fixture fixture;
    fixture.block("7:1", "virtual/block/loop1");
    fixture.loop(2, "/data/disk image ", "254:0");
    const auto graph = BlockGraph::read(fixture.sysfs(), fixture.probe()).value();
    EXPECT_THAT(fixture.asked, ElementsAre("loop2"));
    EXPECT_FALSE(graph.find({7, 1})->backing);
    ASSERT_TRUE(graph.find({7, 2})->backing);
    EXPECT_EQ(graph.find({7, 2})->backing->path, "/data/disk image ");
    EXPECT_EQ(graph.find({7, 2})->backing->file_system, (DeviceNumber{254, 0}));
}

TEST(BlockGraph, ALoopDeviceOverABlockDeviceIsAnOrdinaryLayer) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.loop(0, "/dev/vda", "0:6");
    const auto probe = [](const std::string&, const std::string&) -> Result<LoopStatus> {
        return LoopStatus{.file_system = {0, 6}, .device = DeviceNumber{254, 0}};
    };
    const auto graph = BlockGraph::read(fixture.sysfs(), probe).value();
    EXPECT_FALSE(graph.find({7, 0})->backing);
    EXPECT_THAT(graph.leaves({7, 0}).value(), ElementsAre(DeviceNumber{254, 0}));
}

TEST(BlockGraph, LayersOfLvmAreRecognisedByTheirUuid) {
    BlockNode node;
    node.dm_uuid = std::string(kGroup) + "1-tpool";
    EXPECT_TRUE(node.lvm_internal());
    node.dm_uuid = "CRYPT-LUKS2-0123456789abcdef0123456789abcdef-a-name-longer-than-that-of-a-logical-volume";
    EXPECT_FALSE(node.lvm_internal());
}

TEST(BlockGraph, ALayerOfLvmIsNamed) {
    const std::string uuid = std::string(kGroup) + "1";
    const auto layer = [](const std::string& dm_uuid, const std::string& dm_name) {
        BlockNode node;
        node.dm_uuid = dm_uuid;
        node.dm_name = dm_name;
        return node.lvm_layer();
    };
    EXPECT_EQ(layer(uuid, "vg-lv"), "");
    for (const auto* suffix : {"real", "cow", "tpool", "tdata", "tmeta", "cdata", "cmeta", "cvol", "vpool", "vdata", "pool"})
        EXPECT_EQ(layer(uuid + "-" + suffix, "vg-lv"), suffix);
    EXPECT_EQ(layer(uuid, "vg-lv_rimage_0"), "rimage");
    EXPECT_EQ(layer(uuid, "vg-lv_rmeta_11"), "rmeta");
    EXPECT_EQ(layer(uuid, "vg-lv_mimage_1"), "mimage");
    EXPECT_EQ(layer(uuid, "vg-lv_mlog"), "mlog");
    EXPECT_EQ(layer(uuid, "vg-lv_rimage_"), "");
    EXPECT_EQ(layer(uuid, "vg-lv_rimage_0x"), "");
    EXPECT_EQ(layer("CRYPT-LUKS2-00-name", "x_rimage_0"), "");
}

TEST(BlockGraph, TheTypesAreThoseThatLsblkNames) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.partition("254:1", "254:0", "vda1");
    fixture.dm("253:0", "vg-lv", std::string(kGroup) + "1", {"254:1"});
    fixture.dm("253:1", "luks", "CRYPT-LUKS2-0123-luks", {"254:1"});
    fixture.dm("253:2", "mpatha", "mpath-3600140500", {"254:1"});
    fixture.dm("253:3", "mpatha-part1", "part1-mpath-3600140500", {"253:2"});
    fixture.dm("253:4", "plain", "", {"254:1"});
    fixture.block("9:0", "virtual/block/md0");
    fixture.attribute("9:0", "md/level", "raid1");
    fixture.block("9:1", "virtual/block/md1");
    fixture.attribute("9:1", "md/level", "");
    fixture.loop(0, "/file", "254:1");
    fixture.block("11:0", "pci0000:00/0000:00:01.1/ata1/block/sr0");
    fixture.attribute("11:0", "device/type", "5");
    const auto graph = BlockGraph::read(fixture.sysfs(), fixture.probe()).value();
    const auto type = [&](std::uint32_t major, std::uint32_t minor) { return graph.find({major, minor})->type; };
    EXPECT_EQ(type(254, 0), "disk");
    EXPECT_EQ(type(254, 1), "part");
    EXPECT_EQ(type(253, 0), "lvm");
    EXPECT_EQ(type(253, 1), "crypt");
    EXPECT_EQ(type(253, 2), "mpath");
    EXPECT_EQ(type(253, 3), "part");
    EXPECT_EQ(type(253, 4), "dm");
    EXPECT_EQ(type(9, 0), "raid1");
    EXPECT_EQ(type(9, 1), "md");
    EXPECT_EQ(type(7, 0), "loop");
    EXPECT_EQ(type(11, 0), "rom");
}

TEST(BlockGraph, ASlashInADeviceNameIsOneInItsPath) {
    BlockNode node;
    node.name = "cciss!c0d0";
    EXPECT_EQ(node.path(), "/dev/cciss/c0d0");
}

TEST(BlockGraph, NoSysfsIsAnError) { EXPECT_EQ(BlockGraph::read("/nonexistent").error().error_number, ENOENT); }

} // namespace
} // namespace quiesced
