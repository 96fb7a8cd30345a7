// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/volume_text.h"

#include <sstream>

#include <gtest/gtest.h>

namespace quiesced {
namespace {

class VolumeText : public testing::Test {
protected:
    VolumeText() { use_utf8(); }
    static Json sample() {
        return {{"name", "/srv/db"},
                {"device", "/dev/mapper/vg-db"},
                {"file_system", "xfs"},
                {"uuid", "0a-0b"},
                {"label", "db"},
                {"placement", "virtual"},
                {"mount_points", {"/srv/db", "/mnt/db"}},
                {"evidence", Json::array({"vda: transport=virtio"})},
                {"disks", {"vda", "vdb"}},
                {"size", 3ULL << 30U}};
    }
    static std::string table(const Json& volumes, const std::string& output = "", const Screen& screen = {}) {
        const auto columns = choose_columns(output);
        return columns ? render_volumes(volumes, *columns, screen) : columns.error().message();
    }
};

TEST_F(VolumeText, WhatAVolumeHasSeveralOfStandsBelowOneAnother) {
    const Json raw{{"name", "/dev/sdb"}, {"placement", "lun"}, {"disks", {"sdb"}}, {"size", 0}, {"file_system", ""}, {"mount_points", Json::array()}};
    EXPECT_EQ(table(Json::array({sample(), raw})), "NAME      PLACEMENT  FSTYPE     SIZE  DISKS  MOUNTPOINTS\n"
                                      "/srv/db   virtual    xfs     3.0 GiB  vda    /srv/db\n"
                                      "                                      vdb    /mnt/db\n"
                                      "/dev/sdb  lun        -             -  sdb    -\n");
}

TEST_F(VolumeText, ATableOfLongNamesFitsTheScreenAndLosesNothing) {
    auto volume = sample();
    const std::string name = "/srv/a/mount/point/that/goes/on/and/on/and/on/and/on";
    volume["name"] = name;
    volume["mount_points"] = {name, name + "/again"};
    volume["disks"] = {"nvme0n1", "nvme1n1"};
    const auto text = table(Json::array({volume}));
    std::istringstream lines(text);
    std::string names;
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(text_width(line), kScreenWidth) << line;
        names += line.substr(0, line.find(' '));
    }
    EXPECT_EQ(names, "NAME" + name);
}

TEST_F(VolumeText, OutputChoosesColumns) {
    EXPECT_EQ(table(Json::array({sample()}), "label,SIZE"), "LABEL     SIZE\ndb     3.0 GiB\n");
    EXPECT_TRUE(table(Json::array({sample()}), "+UUID").starts_with("NAME     PLACEMENT  FSTYPE     SIZE  DISKS  MOUNTPOINTS  UUID\n/srv/"));
    EXPECT_EQ(choose_columns("+UUID,LABEL")->size(), choose_columns("")->size() + 2);
    const auto unknown = choose_columns("NAME,COLOUR");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(unknown.error().message().find("'COLOUR'. There are NAME, PLACEMENT"), std::string::npos) << unknown.error().message();
    EXPECT_EQ(only_columns(Json::array({sample()}), *choose_columns("UUID")), Json::array({{{"uuid", "0a-0b"}}}));
}

TEST_F(VolumeText, HelpHasASentenceForEachColumn) {
    const auto text = describe_columns({});
    for (const auto& column : volume_columns()) {
        EXPECT_NE(text.find(std::string(column.name) + " "), std::string::npos) << column.name;
        EXPECT_EQ(column.what.back(), '.') << column.name;
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(text_width(line), kScreenWidth) << line;
}

TEST_F(VolumeText, FileSystemsOfTheKernelAreOfNoInterest) {
    EXPECT_FALSE(is_of_interest({{"placement", "none"}, {"size", 0}, {"disks", Json::array()}}));
    EXPECT_TRUE(is_of_interest({{"placement", "network"}}));
    EXPECT_TRUE(is_of_interest(sample()));
}

TEST_F(VolumeText, NamesCannotHarmATerminal) {
    auto volume = sample();
    volume["name"] = "/mnt/\x1b[2J\n中";
    volume["mount_points"] = {"/mnt/\x1b[2J\n中"};
    EXPECT_EQ(table(Json::array({volume}), "NAME,MOUNTPOINTS,FSTYPE"), "NAME                MOUNTPOINTS         FSTYPE\n"
                                                          "/mnt/\\x1b[2J\\x0a中  /mnt/\\x1b[2J\\x0a中  xfs\n");
}

TEST_F(VolumeText, PlacementsHaveColoursOnAScreenThatShowsThem) {
    EXPECT_EQ(table(Json::array({sample()})).find('\x1b'), std::string::npos);
    EXPECT_NE(table(Json::array({sample()}), "", {.width = 80, .colour = true}).find("\x1b[32mvirtual"), std::string::npos);
}

TEST_F(VolumeText, WhatIsMissingOrOfAnotherTypeIsADash) {
    EXPECT_EQ(table(Json::array({{{"name", "/a"}, {"size", "big"}}}), "NAME,SIZE,DISKS"), "NAME  SIZE  DISKS\n/a       -  -\n");
}

} // namespace
} // namespace quiesced
