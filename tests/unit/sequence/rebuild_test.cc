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

} // namespace
} // namespace quiesced
