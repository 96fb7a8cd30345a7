// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/rebuild.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

FoundSnapshot found(const std::string& set, const std::string& volume, bool cut = true) {
    return {.set = SetId::parse(set).value(),
            .record = {.volume = volume, .provider = "lvm", .snapshot = "vg/x-q" + set, .device = "/dev/vg/x-q" + set, .reference = "{}"},
            .file_system = "ext4",
            .origin = "/dev/vg/x",
            .cut = cut};
}

TEST(Rebuild, MakesOneManifestOfTheSnapshotsOfASet) {
    const auto sets = rebuild_sets({found("6560000000000001", "/srv/a"), found("6560000000000002", "/srv/a"), found("6560000000000001", "/dev/vg/raw")});
    ASSERT_EQ(sets.size(), 2U);
    const auto& manifest = sets.begin()->second.manifest;
    EXPECT_EQ(manifest.id, "6560000000000001");
    EXPECT_EQ(manifest.state, "complete");
    EXPECT_EQ(manifest.created, "2023-11-24T01:44:32Z") << "the id begins with it";
    EXPECT_EQ(manifest.consistency, "crash") << "more is not known";
    ASSERT_EQ(manifest.members.size(), 2U);
    EXPECT_EQ(manifest.members[0].volume, "/srv/a");
    EXPECT_THAT(manifest.members[0].mount_points, ElementsAre("/srv/a"));
    EXPECT_EQ(manifest.members[0].device, "/dev/vg/x-q6560000000000001");
    EXPECT_THAT(manifest.members[1].mount_points, IsEmpty()) << "a device is no mount point";
    EXPECT_TRUE(manifest_from_json(manifest_to_json(manifest)));
    EXPECT_THAT(sets.begin()->second.incomplete, IsEmpty());
}

TEST(Rebuild, NamesSnapshotsThatWereNotCut) {
    const auto sets = rebuild_sets({found("6560000000000001", "/srv/a"), found("6560000000000001", "/srv/b", false)});
    EXPECT_THAT(sets.begin()->second.incomplete, ElementsAre("vg/x-q6560000000000001"));
}

TEST(Rebuild, ASnapshotOfALunIsNamedByTheVolumeThatLiesOnItNow) {
    Disk disk;
    disk.number = {8, 0};
    disk.wwid = "naa.6001";
    Volume volume;
    volume.name = "/srv/lun";
    volume.device_path = "/dev/sda";
    volume.file_system = "xfs";
    volume.leaves = {disk.number};
    const Inventory inventory({volume}, BlockGraph(), {{disk.number, disk}});
    auto known = found("6560000000000001", "");
    known.origin = "naa.6001";
    name_by_lun(known, inventory);
    EXPECT_EQ(known.record.volume, "/srv/lun");
    EXPECT_EQ(known.file_system, "xfs");
    EXPECT_EQ(known.origin, "/dev/sda");
    auto unknown = found("6560000000000001", "");
    unknown.origin = "naa.6002";
    name_by_lun(unknown, inventory);
    EXPECT_EQ(unknown.record.volume, "naa.6002");
}

} // namespace
} // namespace quiesced
