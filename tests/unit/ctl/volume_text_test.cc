// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/volume_text.h"

#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ctl/table.h"

namespace quiesced {
namespace {

VolumeView sample() {
    return {.name = "/srv/db",
            .device = "/dev/mapper/vg-db",
            .file_system = "xfs",
            .uuid = "0a",
            .label = "db",
            .placement = "virtual",
            .mount_points = {"/srv/db", "/mnt/db"},
            .evidence = {"vda: transport=virtio"},
            .disks = {"vda", "vdb"},
            .size = 3ULL << 30U};
}

TEST(VolumeText, OneLineForEachVolume) {
    VolumeView raw;
    raw.name = "/dev/sdb";
    raw.placement = "lun";
    raw.disks = {"sdb"};
    EXPECT_EQ(render_volumes({sample(), raw}), "NAME      PLACEMENT  FSTYPE     SIZE  DISKS    MOUNTPOINTS\n"
                                               "/srv/db   virtual    xfs     3.0 GiB  vda,vdb  /srv/db,/mnt/db\n"
                                               "/dev/sdb  lun        -             -  sdb      -\n");
}

TEST(VolumeText, ATableOfLongNamesFitsTheScreen) {
    auto volume = sample();
    volume.name = "/srv/a/mount/point/that/goes/on/and/on/and/on";
    volume.mount_points = {volume.name, volume.name + "/again"};
    volume.disks = {"nvme0n1", "nvme1n1", "nvme2n1", "nvme3n1"};
    std::istringstream lines(render_volumes({volume}));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(text_width(line), kScreenWidth) << line;
}

TEST(VolumeText, FileSystemsOfTheKernelAreOfNoInterest) {
    VolumeView proc;
    proc.placement = "none";
    EXPECT_FALSE(is_of_interest(proc));
    VolumeView share;
    share.placement = "network";
    EXPECT_TRUE(is_of_interest(share));
    EXPECT_TRUE(is_of_interest(sample()));
}

TEST(VolumeText, JsonHasEveryKey) {
    const auto list = nlohmann::json::parse(volumes_to_json({sample()}));
    ASSERT_EQ(list.size(), 1U);
    const nlohmann::json expected = {{"name", "/srv/db"},
                                     {"device", "/dev/mapper/vg-db"},
                                     {"file_system", "xfs"},
                                     {"uuid", "0a"},
                                     {"label", "db"},
                                     {"placement", "virtual"},
                                     {"mount_points", {"/srv/db", "/mnt/db"}},
                                     {"evidence", nlohmann::json::array({"vda: transport=virtio"})},
                                     {"disks", {"vda", "vdb"}},
                                     {"size", 3ULL << 30U}};
    EXPECT_EQ(list.front(), expected);
    EXPECT_EQ(volumes_to_json({}), "[]\n");
}

} // namespace
} // namespace quiesced
