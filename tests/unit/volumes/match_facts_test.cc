// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/match_facts.h"

#include <gtest/gtest.h>

#include <string>

namespace quiesced {
namespace {

TEST(MatchFacts, AWwidIsTheSameInAllItsForms) {
    const NormalWwid wanted{"60014053a1b2c3d4e5f60718293a4b5c", true};
    for (const auto* text : {"naa.60014053a1b2c3d4e5f60718293a4b5c", "0x60014053A1B2C3D4E5F60718293A4B5C", "60014053a1b2c3d4e5f60718293a4b5c",
                             "wwn-0x60014053a1b2c3d4e5f60718293a4b5c", "360014053a1b2c3d4e5f60718293a4b5c", " NAA.60014053A1B2C3D4E5F60718293A4B5C\n",
                             "60:01:40:53:a1:b2:c3:d4:e5:f6:07:18:29:3a:4b:5c", "60 01 40 53 a1 b2 c3 d4-e5 f6 07 18 29 3a 4b 5c",
                             "60014053-a1b2-c3d4-e5f6-0718293a4b5c", "vml.020001000060014053a1b2c3d4e5f60718293a4b5c4c554e202020"})
        EXPECT_EQ(normal_wwid(text), wanted) << text;
}

TEST(MatchFacts, ADigitInFrontIsTakenAwayOnlyWhereUdevPutIt) {
    EXPECT_EQ(normal_wwid("naa.3000000000000001").text, "3000000000000001") << "an NAA that is locally assigned";
    EXPECT_EQ(normal_wwid("3500a098012345678").text, "500a098012345678");
    EXPECT_EQ(normal_wwid("2000c290102030405").text, "000c290102030405");
    EXPECT_EQ(normal_wwid("0x3500a098012345678").text, "3500a098012345678") << "with a prefix it is meant as it stands";
    EXPECT_EQ(normal_wwid("34567890123456789").text, "34567890123456789") << "no NAA begins with 4";
    EXPECT_EQ(normal_wwid("eui.2000c290102030405").text, "2000c290102030405");
}

TEST(MatchFacts, AWwidThatIsATextKeepsSingleSpaces) {
    EXPECT_EQ(normal_wwid("t10.ATA     QEMU HARDDISK    QM00001 "), (NormalWwid{"t10.ata qemu harddisk qm00001", false}));
    EXPECT_EQ(normal_wwid("vml.02zz").text, "vml.02zz");
    EXPECT_EQ(normal_wwid("vml.0200").text, "vml.0200");
    EXPECT_EQ(normal_wwid("").text, "");
    EXPECT_FALSE(normal_wwid("").hexadecimal);
    EXPECT_FALSE(normal_wwid("0x").hexadecimal);
}

TEST(MatchFacts, AWwidAsTheKernelWritesIt) {
    EXPECT_EQ(kernel_wwid("360014053A1B2C3D4E5F60718293A4B5C"), "naa.60014053a1b2c3d4e5f60718293a4b5c");
    EXPECT_EQ(kernel_wwid("0x500a098012345678"), "naa.500a098012345678");
    EXPECT_EQ(kernel_wwid("EUI.000C290102030405"), "eui.000c290102030405");
    EXPECT_EQ(kernel_wwid("uuid.60014053-a1b2-c3d4-e5f6-0718293a4b5c"), "uuid.60014053-a1b2-c3d4-e5f6-0718293a4b5c");
    EXPECT_EQ(kernel_wwid("000c290102030405"), "eui.000c290102030405");
    EXPECT_EQ(kernel_wwid("t10.ACME  Disk"), "t10.ACME  Disk");
}

TEST(MatchFacts, SerialsDifferInNothingButCaseDashesAndSpaces) {
    EXPECT_TRUE(same_serial("6000C298-1234-5678-9abc-def012345678", "6000c298123456789abcdef012345678", false));
    EXPECT_TRUE(same_serial("60 00 C2 98 12 34 56 78-9a bc de f0 12 34 56 78", "6000c298123456789abcdef012345678", false));
    EXPECT_FALSE(same_serial("6000c298", "6000c299", false));
    EXPECT_FALSE(same_serial("", "", true));
    EXPECT_FALSE(same_serial("a", "", true)) << "a disk without a serial has none that is the same";
    EXPECT_FALSE(same_serial("a", " - ", true));
}

TEST(MatchFacts, ASerialThatQemuCutIsTheSame) {
    const std::string whole = "c2f2a7c6-3b1e-4d2a-9f00-123456789abc";
    EXPECT_TRUE(same_serial(whole, whole.substr(0, 20), true));
    EXPECT_FALSE(same_serial(whole, whole.substr(0, 20), false)) << "only QEMU cuts";
    EXPECT_FALSE(same_serial(whole, whole.substr(0, 19), true)) << "and after 20 bytes only";
    EXPECT_FALSE(same_serial(whole.substr(0, 19), whole.substr(0, 20), true));
    EXPECT_TRUE(same_serial(whole + "-more", whole.substr(0, 36), true));
}

TEST(MatchFacts, PciAddressesWithAndWithoutADomain) {
    EXPECT_EQ(parse_pci("0000:00:1F.7"), (PciAddress{0, 0, 0x1f, 7}));
    EXPECT_EQ(parse_pci("00:1f.7"), parse_pci("0000:00:1f.7"));
    EXPECT_EQ(parse_pci("10000:e1:00.0"), (PciAddress{0x10000, 0xe1, 0, 0}));
    for (const auto* text : {"", ":", "0000:00:04", "00:20.0", "00:04.8", "100:04.0.0", "1:2:3:4.0", "0000:100:04.0", "g:00:04.0", "00:.0", "00:-4.0", "0x0:04.0"})
        EXPECT_FALSE(parse_pci(text)) << text;
}

TEST(MatchFacts, AScsiAddressWithoutItsHostFitsEveryHost) {
    EXPECT_TRUE(parse_hctl("2:0:1:3")->fits(*parse_hctl("2:0:1:3")));
    EXPECT_TRUE(parse_hctl("2:0:1:3")->fits(*parse_hctl("*:0:1:3")));
    EXPECT_TRUE(parse_hctl("0:1:3")->fits(*parse_hctl("2:0:1:3")));
    EXPECT_FALSE(parse_hctl("2:0:1:3")->fits(*parse_hctl("3:0:1:3")));
    EXPECT_FALSE(parse_hctl("2:0:1:3")->fits(*parse_hctl("0:1:4")));
    for (const auto* text : {"", "1", "1:2", "1:2:3:4:5", "a:0:0:0", "1:2:3:", "*:*:0:0", "-1:0:0:0", "1:0:0:99999999999999999999"})
        EXPECT_FALSE(parse_hctl(text)) << text;
}

} // namespace
} // namespace quiesced
