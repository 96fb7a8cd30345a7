// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "fake_plugin.h"
#include "plugins/targetd/initiator.h"
#include "plugins/targetd/targetd_config.h"
#include "plugins/targetd/targetd_plugin.h"

namespace quiesced {
namespace {

using testing::HasSubstr;

TEST(LioWwid, HasTheSerialsHexadecimalDigits) {
    // Read off an LIO LUN of Linux 6.1 whose unit serial number is the first.
    EXPECT_EQ(lio_wwid("a77a7000-0000-0000-0000-000000000001"), "naa.6001405a77a700000000000000000000");
    EXPECT_EQ(lio_wwid("zzA-1"), "naa.6001405a100000000000000000000000");
    EXPECT_EQ(lio_wwid(""), "naa.60014050000000000000000000000000");
}

/// A LUN with two paths below sysfs: sdb, sdc; multipath dm-0 on both, its partition dm-1.
class InitiatorSees : public testing::Test {
protected:
    void SetUp() override {
        for (const char* disk : {"sdb", "sdc"}) {
            write(std::string("block/") + disk + "/device/wwid", "naa.6001405aa\n");
            write(std::string("block/") + disk + "/device/delete", "");
            hold(std::string("block/") + disk, "dm-0");
        }
        write("block/dm-0/dm/uuid", "mpath-36001405aa\n");
        hold("block/dm-0", "dm-1");
        write("block/dm-1/dm/uuid", "part1-mpath-36001405aa\n");
    }
    void write(const std::string& name, const std::string& text) {
        const auto path = directory_.path(name);
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path) << text;
    }
    void hold(const std::string& device, const std::string& holder) { std::filesystem::create_directories(directory_.path(device + "/holders/" + holder)); }
    [[nodiscard]] bool deleted(const std::string& disk) const { return read_file(directory_.path("block/" + disk + "/device/delete")).value_or("") == "1"; }

    TemporaryDirectory directory_;
    Initiator initiator_{directory_.path()};
};

TEST_F(InitiatorSees, ALunUnderNothingButMultipathMayGo) {
    ASSERT_TRUE(initiator_.remove("naa.6001405aa"));
    EXPECT_TRUE(deleted("sdb"));
    EXPECT_TRUE(deleted("sdc"));
}

TEST_F(InitiatorSees, ALunUnderLvmStaysAltogether) {
    hold("block/dm-1", "dm-2");
    write("block/dm-2/dm/uuid", "LVM-abc\n");
    write("block/dm-2/dm/name", "copy-data\n");
    const auto removed = initiator_.remove("naa.6001405aa");
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().kind, ErrorKind::busy);
    EXPECT_THAT(removed.error().message(), HasSubstr("LUN naa.6001405aa is in use: copy-data lies on it"));
    EXPECT_FALSE(deleted("sdb"));
}

TEST_F(InitiatorSees, AUserOfAPartitionCounts) {
    hold("block/sdc/sdc1", "md127");
    EXPECT_THAT(initiator_.remove("naa.6001405aa").error().message(), HasSubstr("md127 lies on it"));
    EXPECT_FALSE(deleted("sdb"));
}

TEST(CopyName, EndsWithTheSetAndIsFoundByIt) {
    EXPECT_EQ(copy_name("lun0", "0123456789abcdef"), "lun0-q0123456789abcdef");
    EXPECT_EQ(set_of_copy("lun0-q0123456789abcdef"), "0123456789abcdef");
    EXPECT_EQ(copy_name(std::string(200, 'x'), "0123456789abcdef").size(), 127U);
    for (const char* name : {"lun0", "-q0123456789abcdef", "lun0-q0123456789abcdeg", "lun0-q0123456789ABCDEF", "lun0_q0123456789abcdef"})
        EXPECT_EQ(set_of_copy(name), std::nullopt) << name;
}

TEST(InitiatorName, IsTheValueOfItsLine) {
    EXPECT_EQ(parse_initiator_name("## comment\nInitiatorName=iqn.1993-08.org.debian:01:abc \n"), "iqn.1993-08.org.debian:01:abc");
    EXPECT_EQ(parse_initiator_name("GenerateName=yes\n"), "");
}

TEST(TargetdConfiguration, HasASectionForEachArray) {
    const auto config = parse_targetd_config("initiator = iqn.x:y\n[a]\nurl = https://a:18700/targetrpc\npools = vg/p1 vg/p2\n"
                                             "[b]\nurl = http://b:18700/targetrpc\nplain = yes\nuser = root\ncredential = bee\nconnections = 4\n");
    ASSERT_TRUE(config) << config.error().message();
    ASSERT_EQ(config->arrays.size(), 2U);
    EXPECT_EQ(config->initiator, "iqn.x:y");
    EXPECT_EQ(config->arrays[0].credential, "a");
    EXPECT_THAT(config->arrays[0].pools, testing::ElementsAre("vg/p1", "vg/p2"));
    EXPECT_EQ(config->arrays[1].credential, "bee");
    EXPECT_EQ(config->arrays[1].connections, 4U);
}

struct BadConfig {
    const char* text;
    const char* sentence;
};

class TargetdConfigurationRefuses : public testing::TestWithParam<BadConfig> {};

TEST_P(TargetdConfigurationRefuses, AndSaysWhy) {
    const auto config = parse_targetd_config(GetParam().text);
    ASSERT_FALSE(config) << GetParam().text;
    EXPECT_THAT(config.error().message(), HasSubstr(GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, TargetdConfigurationRefuses,
    testing::Values(BadConfig{"", "it names no array"}, BadConfig{"[a]\nuser = x\n", "[a]: url is missing"},
                    BadConfig{"[a]\nurl = ftp://x\n", "no http:// or https:// address"},
                    BadConfig{"[a]\nurl = http://x/targetrpc\n", "anybody on the way can read the password"},
                    BadConfig{"[a]\nurl = https://u:p@x/targetrpc\n", "use the key user"},
                    BadConfig{"[a]\npassword = x\n", "does not belong into this file"},
                    BadConfig{"[a]\nurl = https://x\nurl = https://y\n", "line 3: url is given twice"},
                    BadConfig{"[a]\nurl = https://x\n[b]\nurl = https://x\n[a]\nuser = x\n", "the section [a] is there twice"},
                    BadConfig{"[a]\nurl = https://x\nconnections = 0\n", "connections is a number from 1 to 64"},
                    BadConfig{"[a]\nurl = https://x\ncredential = ../x\n", "credential is a name, no path"},
                    BadConfig{"url = https://x\n", "outside of an array's section"}, BadConfig{"[a]\nurl\n", "line 2"},
                    BadConfig{"[a]\nurl = https://x\ncolour = red\n", "there is no key 'colour'"}));

} // namespace
} // namespace quiesced
