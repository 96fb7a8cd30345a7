// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_report.h"

#include <gmock/gmock.h>

namespace quiesced {
namespace {

using testing::HasSubstr;

/// As LVM 2.03.16 prints it, shortened to two rows; the first LV has two segments.
const std::string kReport = R"(  {
      "report": [
          {
              "lv": [
                  {"vg_name":"q-1", "vg_uuid":"l3HJt1-RK5F-6jeQ-dpBv-llzM-XmjV-bk6QRF", "vg_free":"3690987520", "vg_extent_size":"4194304", "lv_name":"thick", "lv_uuid":"MkQmep-ug12-GPVg-eF17-HV1j-zK7G-ULagMb", "lv_size":"209715200", "segtype":"linear", "lv_attr":"owi-a-s---", "pool_lv":"", "origin":"", "thin_id":"", "data_percent":"", "metadata_percent":"", "lv_metadata_size":"", "chunk_size":"0", "lv_check_needed":"unknown", "lv_tags":""},
                  {"vg_name":"q-1", "vg_uuid":"l3HJt1-RK5F-6jeQ-dpBv-llzM-XmjV-bk6QRF", "vg_free":"3690987520", "vg_extent_size":"4194304", "lv_name":"thick", "lv_uuid":"MkQmep-ug12-GPVg-eF17-HV1j-zK7G-ULagMb", "lv_size":"209715200", "segtype":"striped", "lv_attr":"owi-a-s---", "pool_lv":"", "origin":"", "thin_id":"", "data_percent":"", "metadata_percent":"", "lv_metadata_size":"", "chunk_size":"0", "lv_check_needed":"unknown", "lv_tags":""},
                  {"vg_name":"q-1", "vg_uuid":"l3HJt1-RK5F-6jeQ-dpBv-llzM-XmjV-bk6QRF", "vg_free":"3690987520", "vg_extent_size":"4194304", "lv_name":"thin-q0123456789abcdef", "lv_uuid":"lBwrk0-huHK-jepR-BdEi-lnz7-fALh-Ac9cgs", "lv_size":"209715200", "segtype":"thin", "lv_attr":"Vwi---tz-k", "pool_lv":"pool", "origin":"thin", "thin_id":"2", "data_percent":"12.34", "metadata_percent":"", "lv_metadata_size":"", "chunk_size":"0", "lv_check_needed":"unknown", "lv_tags":"quiesced,quiesced.set=0123456789abcdef"}
              ]
          }
      ]
  }
)";

TEST(LvmReport, FieldsOfRealOutputAreRead) {
    const auto volumes = parse_lvm_report(kReport);
    ASSERT_TRUE(volumes) << volumes.error().message();
    ASSERT_EQ(volumes->size(), 2U);
    const auto& thick = volumes->at(0);
    EXPECT_EQ(thick.full_name(), "q-1/thick");
    EXPECT_EQ(thick.group_free, Bytes{3690987520});
    EXPECT_EQ(thick.extent, Bytes{4194304});
    EXPECT_EQ(thick.size, Bytes{209715200});
    EXPECT_EQ(thick.kind(), LogicalVolume::Kind::thick);
    EXPECT_EQ(thick.dm_uuid(), "LVM-l3HJt1RK5F6jeQdpBvllzMXmjVbk6QRFMkQmepug12GPVgeF17HV1jzK7GULagMb");
    EXPECT_FALSE(thick.thin_id);
    EXPECT_TRUE(thick.tags.empty());
    const auto& thin = volumes->at(1);
    EXPECT_EQ(thin.kind(), LogicalVolume::Kind::thin);
    EXPECT_EQ(thin.thin_id, 2U);
    EXPECT_EQ(thin.data_percent, 12.34);
    EXPECT_EQ(thin.pool, "pool");
    EXPECT_EQ(thin.origin, "thin");
    EXPECT_TRUE(thin.has_tag("quiesced"));
    EXPECT_TRUE(thin.has_tag("quiesced.set=0123456789abcdef"));
    EXPECT_FALSE(thin.has_tag("quiesced.set=0123456789abcde"));
}

TEST(LvmReport, NoVolumesAreNoError) {
    const auto volumes = parse_lvm_report(R"({"report":[{"lv":[]}]})");
    ASSERT_TRUE(volumes);
    EXPECT_TRUE(volumes->empty());
}

TEST(LvmReport, GarbageIsRefused) {
    for (const auto* text :
         {"", "[]", "{", "{}", R"({"report":3})", R"({"report":[{"lv":7}]})", R"({"report":[{"lv":[7]}]})"}) {
        const auto volumes = parse_lvm_report(text);
        ASSERT_FALSE(volumes) << text;
        EXPECT_EQ(volumes.error().kind, ErrorKind::lvm_failed);
    }
}

TEST(LvmReport, AMissingFieldAndANumberThatIsNoneAreNamed) {
    auto text = kReport;
    text.replace(text.find("\"lv_size\":\"209715200\""), 21, "\"lv_size\":\"200.00m\" ");
    EXPECT_THAT(parse_lvm_report(text).error().message(), HasSubstr("lv_size is '200.00m', which is no number"));
    text = kReport;
    text.replace(text.find("\"lv_attr\""), 9, "\"lv_atta\"");
    EXPECT_THAT(parse_lvm_report(text).error().message(), HasSubstr("lv_attr is missing"));
}

TEST(LvmReport, SnapshotsOfSnapshotsAndPvmoveAndUnknownTypesAreNoOrigins) {
    LogicalVolume volume;
    const auto kind = [&volume](const char* type, const char* attributes) {
        volume.segment_type = type;
        volume.attributes = attributes;
        return volume.kind();
    };
    using Kind = LogicalVolume::Kind;
    EXPECT_EQ(kind("linear", "-wi-a-----"), Kind::thick);
    EXPECT_EQ(kind("striped", "owi-a-s---"), Kind::thick);
    EXPECT_EQ(kind("raid10", "rwi-a-r---"), Kind::thick);
    EXPECT_EQ(kind("cache", "Cwi-a-C---"), Kind::thick);
    EXPECT_EQ(kind("thin", "Vwi-a-tz--"), Kind::thin);
    EXPECT_EQ(kind("thin-pool", "twi-aotz--"), Kind::pool);
    EXPECT_EQ(kind("linear", "swi-a-s---"), Kind::other);
    EXPECT_EQ(kind("linear", "Swi-I-s---"), Kind::other);
    EXPECT_EQ(kind("linear", "pwc-aom---"), Kind::other);
    EXPECT_EQ(kind("error", "-wi-a-----"), Kind::other);
    EXPECT_EQ(kind("vdo", "vwi-a-v---"), Kind::other);
}

TEST(LvmReport, OnlyVisibleVolumesHaveALogicalVolumesUuid) {
    const std::string uuid = "LVM-l3HJt1RK5F6jeQdpBvllzMXmjVbk6QRFMkQmepug12GPVgeF17HV1jzK7GULagMb";
    EXPECT_TRUE(is_lvm_uuid(uuid));
    EXPECT_FALSE(is_lvm_uuid(uuid + "-real"));
    EXPECT_FALSE(is_lvm_uuid(uuid + "-tpool"));
    EXPECT_FALSE(is_lvm_uuid("CRYPT-LUKS2-0123456789abcdef0123456789abcdef-data"));
    EXPECT_FALSE(is_lvm_uuid(""));
}

TEST(LvmReport, GroupOfADmNameGetsItsHyphensBack) {
    EXPECT_EQ(lvm_group_of("vg-home"), "vg");
    EXPECT_EQ(lvm_group_of("data--1-home--of--all"), "data-1");
    EXPECT_EQ(lvm_group_of("plain"), "");
    EXPECT_EQ(lvm_group_of(""), "");
}

TEST(LvmReport, SnapshotNamesStayWithinWhatDeviceMapperTakes) {
    const auto set = SetId::parse("0123456789abcdef").value();
    EXPECT_EQ(lvm_snapshot_name("vg", "home", set, 3), "home-q0123456789abcdef");
    // 2 for vg, 1 between, 96 + 19 (a doubled hyphen) and 8 for a suffix make 126; one more hyphen is doubled: 127, 128.
    EXPECT_EQ(lvm_snapshot_name("vg", std::string(97, 'a'), set, 3), std::string(97, 'a') + "-q0123456789abcdef");
    EXPECT_EQ(lvm_snapshot_name("vg", std::string(98, 'a'), set, 3), "q0123456789abcdef-3");
    EXPECT_EQ(lvm_snapshot_name("vg", std::string(96, 'a') + "-", set, 3), "q0123456789abcdef-3");
}

} // namespace
} // namespace quiesced
