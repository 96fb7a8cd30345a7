// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_origin.h"

#include <gmock/gmock.h>

#include "snapshot/dm_names.h"

namespace quiesced {
namespace {

using testing::HasSubstr;
using testing::Not;

DmDevice device(const std::string& type, const std::string& text) {
    DmDevice made;
    made.name = "data";
    made.targets = {{0, 8, type, text}};
    return made;
}

TEST(DmKeys, ADmCryptKeyIsHiddenAndTheNameOfOneIsNot) {
    EXPECT_EQ(without_keys("crypt", "aes-xts-plain64 00ff 0 8:1 4096 1 allow_discards"), "aes-xts-plain64 (key) 0 8:1 4096 1 allow_discards");
    EXPECT_EQ(without_keys("crypt", "aes-xts-plain64 :64:logon:cryptsetup:x-d0 0 8:1 32768"), "aes-xts-plain64 :64:logon:cryptsetup:x-d0 0 8:1 32768");
    EXPECT_EQ(without_keys("crypt", "aes 00ff"), "aes (key)");
    EXPECT_EQ(without_keys("crypt", "aes"), "aes");
    EXPECT_EQ(without_keys("crypt", ""), "");
    EXPECT_THAT(without_keys("integrity", "8:1 0 32 J 1 internal_hash:hmac(sha256):00ff"), Not(HasSubstr("00ff")));
    EXPECT_EQ(without_keys("linear", "8:0 2048"), "8:0 2048");
}

TEST(DmOrigin, WhatKeepsNoStateCanBeThereTwice) {
    EXPECT_EQ(table_refusal(device("linear", "8:0 0")), "");
    EXPECT_EQ(table_refusal(device("striped", "2 128 8:0 0 8:16 0")), "");
    EXPECT_EQ(table_refusal(device("crypt", "aes (key) 0 8:1 4096")), "");
    for (const auto* type : {"raid", "mirror", "cache", "thin", "thin-pool", "integrity", "era", "writecache", "snapshot", "snapshot-origin"})
        EXPECT_THAT(table_refusal(device(type, "8:0")), HasSubstr(type));
    EXPECT_THAT(table_refusal(device("multipath", "0 0 1 1")), HasSubstr("plugin"));
    auto mixed = device("linear", "8:0 0");
    mixed.targets.push_back({8, 8, "raid", ""});
    EXPECT_THAT(table_refusal(mixed), HasSubstr("raid"));
}

TEST(DmOrigin, AKeyInAKeyringIsRefusedWithWhatToDo) {
    EXPECT_THAT(table_refusal(device("crypt", "aes-xts-plain64 :64:logon:cryptsetup:x-d0 0 8:1 32768")), HasSubstr("cryptsetup refresh --disable-keyring data"));
}

TEST(DmNames, TheUuidSaysWhatADeviceIs) {
    const auto set = SetId::parse("0123456789abcdef").value();
    for (const auto part : {DmPart::real, DmPart::snapshot}) {
        const auto identity = dm_identity(dm_uuid({.set = set, .index = 17, .part = part}));
        ASSERT_TRUE(identity);
        EXPECT_EQ(identity->set, set);
        EXPECT_EQ(identity->index, 17U);
        EXPECT_EQ(identity->part, part);
    }
    for (const auto* other : {"", "LVM-abc", "QUIESCED-0123456789abcdef-0", "QUIESCED-dm-0123456789abcdef-real", "QUIESCED-dm-0123456789abcdef-x-real",
                              "QUIESCED-dm-0123-1-real", "QUIESCED-dm-0123456789abcdef-1-cow", "QUIESCED-dm--snap"})
        EXPECT_FALSE(dm_identity(other)) << other;
}

TEST(DmNames, ANameThatDoesNotFitIsReplaced) {
    const auto set = SetId::parse("0123456789abcdef").value();
    EXPECT_EQ(dm_snapshot_name("luks-data", set, 3), "luks-data-q0123456789abcdef");
    EXPECT_EQ(dm_snapshot_name("with space", set, 3), "q0123456789abcdef-3");
    EXPECT_EQ(dm_snapshot_name(std::string(127, 'x'), set, 3), "q0123456789abcdef-3");
    EXPECT_LE(dm_real_name(dm_snapshot_name(std::string(104, 'x'), set, 3)).size(), 127U);
    EXPECT_EQ(dm_store_index(set, dm_store_name(set, 12)), 12U);
    EXPECT_FALSE(dm_store_index(set, "data"));
}

} // namespace
} // namespace quiesced
