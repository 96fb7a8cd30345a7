// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/signature.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "fixture.h"

namespace quiesced {
namespace {

/// The head of a swap area of version 1 with 4 KiB pages: the simplest signature that libblkid knows.
std::string swap_area() {
    std::string area(1U << 20U, '\0');
    area.at(1024) = 1;                          // version
    area.at(1028) = '\xff';                     // last page
    area.replace(1036, 16, "0123456789abcdef"); // UUID
    area.replace(1052, 4, "pool");              // label
    area.replace(4096 - 10, 10, "SWAPSPACE2");
    return area;
}

TEST(Signature, TheUdevDatabaseIsRead) {
    const auto signature = parse_udev_signature("S:disk/by-uuid/x\nE:ID_FS_TYPE=xfs\nE:ID_FS_UUID=1-2\n"
                                                "E:ID_FS_LABEL=my_disk\nE:ID_FS_LABEL_ENC=my\\x20disk\nG:systemd\n");
    EXPECT_EQ(signature.type, "xfs");
    EXPECT_EQ(signature.uuid, "1-2");
    EXPECT_EQ(signature.label, "my disk");
}

TEST(Signature, ADamagedEscapeInTheDatabaseStays) {
    EXPECT_EQ(parse_udev_signature("E:ID_FS_LABEL_ENC=a\\x2").label, "a\\x2");
    EXPECT_EQ(parse_udev_signature("E:ID_FS_LABEL_ENC=a\\xzzb").label, "a\\xzzb");
    EXPECT_EQ(parse_udev_signature("").type, "");
}

TEST(Signature, SwapAndPartsOfOtherThingsDoNotStandAlone) {
    for (const auto* type : {"swap", "LVM2_member", "linux_raid_member", "mpath_member"})
        EXPECT_FALSE((Signature{.type = type, .uuid = {}, .label = {}}.stands_alone())) << type;
    for (const auto* type : {"", "ext4", "crypto_LUKS"})
        EXPECT_TRUE((Signature{.type = type, .uuid = {}, .label = {}}.stands_alone())) << type;
}

TEST(Signature, LibblkidIsAskedWithoutACache) {
    const Fixture fixture;
    fixture.write("swap", swap_area());
    const auto file = open_at(AT_FDCWD, fixture.path("swap"), O_RDONLY).value();
    const auto signature = probe_signature(file.get()).value();
    EXPECT_EQ(signature.type, "swap");
    EXPECT_EQ(signature.label, "pool");
    EXPECT_EQ(signature.uuid, "30313233-3435-3637-3839-616263646566");
}

TEST(Signature, AnEmptyDeviceHasNone) {
    const Fixture fixture;
    fixture.write("zeros", std::string(1U << 20U, '\0'));
    const auto file = open_at(AT_FDCWD, fixture.path("zeros"), O_RDONLY).value();
    EXPECT_EQ(probe_signature(file.get()).value().type, "");
}

TEST(Signature, ANodeThatIsNotTheDeviceIsNotRead) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.write("dev/vda", swap_area());
    const auto graph = BlockGraph::read(fixture.sysfs()).value();
    const auto paths = fixture.paths();
    EXPECT_EQ(read_signature(*graph.find({254, 0}), graph, paths.udev_data, paths.dev, paths.sysfs).type, "");
}

TEST(Signature, NothingIsReadThroughSuspendedOrMultipathDevices) {
    Fixture fixture;
    fixture.virtio("254:0", "vda");
    fixture.dm("253:0", "vg-fine", "", {"254:0"});
    fixture.dm("253:1", "vg-suspended", "", {"254:0"});
    fixture.attribute("253:1", "dm/suspended", "1");
    fixture.dm("253:2", "mpatha", "mpath-3600140", {"254:0"});
    fixture.dm("253:3", "vg-above", "", {"253:0", "253:2"});
    const auto graph = BlockGraph::read(fixture.sysfs()).value();
    const auto blocks = [&](std::uint32_t minor) {
        return reading_may_block(*graph.find({253, minor}), graph, fixture.sysfs());
    };
    EXPECT_FALSE(blocks(0));
    EXPECT_TRUE(blocks(1));
    EXPECT_TRUE(blocks(2));
    EXPECT_TRUE(blocks(3));
}

} // namespace
} // namespace quiesced
