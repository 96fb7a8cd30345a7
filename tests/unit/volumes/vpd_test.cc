// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/vpd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

namespace quiesced {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Bytes8 = std::vector<std::uint8_t>;

Bytes8 operator+(Bytes8 a, const Bytes8& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

Bytes8 ascii(std::string_view text) { return {text.begin(), text.end()}; }

/// A descriptor as SPC-5 lays it out: code set, association and type, a reserved byte, length.
Bytes8 descriptor(std::uint8_t code_set, std::uint8_t association, std::uint8_t type, const Bytes8& data) {
    return Bytes8{code_set, static_cast<std::uint8_t>(association << 4U | type), 0, static_cast<std::uint8_t>(data.size())} + data;
}

Bytes8 page(std::uint8_t code, const Bytes8& body) {
    return Bytes8{0, code, static_cast<std::uint8_t>(body.size() >> 8U), static_cast<std::uint8_t>(body.size() & 255U)} + body;
}

const Bytes8 kNaa6{0x60, 0x01, 0x40, 0x53, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x18, 0x29, 0x3a, 0x4b, 0x5c};

std::vector<std::string> names(const Bytes8& bytes) { return unit_names(parse_device_identification(bytes)); }

/// What a LIO target answers: its T10 name, the NAA, the port's number and group, and the port's SCSI name.
Bytes8 target_page() {
    return page(0x83, descriptor(2, 0, 1, ascii("LIO-ORG array:53a1b2c3-d4e5")) + descriptor(1, 0, 3, kNaa6) +
                          descriptor(1, 1, 4, {0, 0, 0, 1}) + descriptor(1, 1, 5, {0, 0, 0, 0}) +
                          descriptor(3, 1, 8, ascii("iqn.2003-01.org.example:t1,t,0x0001")) +
                          descriptor(3, 2, 8, ascii("iqn.2003-01.org.example:t1")));
}

TEST(Vpd, ATargetsPageNamesTheUnitByItsNaaFirst) {
    EXPECT_THAT(parse_device_identification(target_page()), SizeIs(6));
    EXPECT_THAT(names(target_page()), ElementsAre("naa.60014053a1b2c3d4e5f60718293a4b5c", "t10.LIO-ORG array:53a1b2c3-d4e5"));
}

TEST(Vpd, NamesOfPortsAndTargetsAreNotTheUnits) {
    const auto bytes = page(0x83, descriptor(1, 1, 3, {0x50, 0, 0, 0, 0, 0, 0, 1}) + descriptor(1, 2, 3, {0x50, 0, 0, 0, 0, 0, 0, 2}));
    EXPECT_THAT(parse_device_identification(bytes), SizeIs(2));
    EXPECT_THAT(names(bytes), IsEmpty());
}

TEST(Vpd, TheKernelsOrderOfPreferenceHolds) {
    const Bytes8 naa5{0x50, 0x0a, 0x09, 0x80, 0x12, 0x34, 0x56, 0x78};
    const Bytes8 eui8{0, 0x0c, 0x29, 1, 2, 3, 4, 5};
    const auto eui12 = eui8 + Bytes8{6, 7, 8, 9};
    const auto eui16 = eui12 + Bytes8{10, 11, 12, 13};
    const auto uuid = Bytes8{0x10, 0} + kNaa6;
    const auto bytes = page(0x83, descriptor(2, 0, 1, ascii("ATA     QM00001")) + descriptor(3, 0, 8, ascii("naa.X")) +
                                      descriptor(1, 0, 10, uuid) + descriptor(1, 0, 2, eui8) + descriptor(1, 0, 3, naa5) +
                                      descriptor(1, 0, 2, eui12) + descriptor(1, 0, 2, eui16) + descriptor(1, 0, 3, kNaa6));
    EXPECT_THAT(names(bytes),
                ElementsAre("naa.60014053a1b2c3d4e5f60718293a4b5c", "eui.000c290102030405060708090a0b0c0d", "eui.000c29010203040506070809",
                            "naa.500a098012345678", "eui.000c290102030405", "uuid.60014053-a1b2-c3d4-e5f6-0718293a4b5c", "naa.X",
                            "t10.ATA     QM00001"));
}

TEST(Vpd, AScsiNameLosesItsPaddingAndNoName) {
    EXPECT_THAT(names(page(0x83, descriptor(3, 0, 8, ascii(std::string_view("eui.01\0\0", 8))))), ElementsAre("eui.01"));
    EXPECT_THAT(names(page(0x83, descriptor(3, 0, 8, ascii("a\x01\xff" "b")))), ElementsAre("a??b"));
    EXPECT_THAT(names(page(0x83, descriptor(3, 0, 8, {0, 0, 0, 0}))), IsEmpty());
}

TEST(Vpd, TheSameNameTwiceIsOne) {
    EXPECT_THAT(names(page(0x83, descriptor(1, 0, 3, kNaa6) + descriptor(1, 0, 3, kNaa6))), SizeIs(1));
}

TEST(Vpd, WhatCannotIdentifyIsNoName) {
    const Bytes8 seven(7, 0x50);
    const Bytes8 zero(16, 0);
    EXPECT_THAT(names(page(0x83, descriptor(1, 0, 3, seven) + descriptor(1, 0, 2, seven) + descriptor(1, 0, 3, zero) + descriptor(1, 0, 2, zero) +
                                     descriptor(2, 0, 1, ascii("VENDOR  ")) + descriptor(1, 0, 0, kNaa6) + descriptor(1, 0, 10, kNaa6) +
                                     descriptor(1, 0, 15, kNaa6) + descriptor(1, 0, 3, {}))),
                IsEmpty());
}

TEST(Vpd, ACutOffTailIsLeftOut) {
    const auto whole = target_page();
    for (std::size_t length = 0; length < whole.size(); ++length) {
        // On the heap, so that a sanitizer sees a byte read behind the end.
        const std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        const auto found = parse_device_identification(cut);
        EXPECT_LT(found.size(), 6U) << length;
        EXPECT_EQ(found.size() >= 2, length >= 4U + 31 + 20) << length;
    }
}

TEST(Vpd, BytesBehindThePagesOwnLengthDoNotCount) {
    auto bytes = page(0x83, descriptor(1, 0, 3, kNaa6));
    EXPECT_THAT(names(bytes + descriptor(2, 0, 1, ascii("BEHIND  text"))), ElementsAre("naa.60014053a1b2c3d4e5f60718293a4b5c"));
    bytes[3] = 19;
    EXPECT_THAT(names(bytes), IsEmpty());
    bytes[2] = bytes[3] = 0xff;
    EXPECT_THAT(names(bytes), SizeIs(1)) << "a length beyond the end: what is there counts";
}

TEST(Vpd, AnotherPageIsNone) {
    EXPECT_THAT(names(page(0x80, descriptor(1, 0, 3, kNaa6))), IsEmpty());
    EXPECT_EQ(parse_unit_serial(page(0x83, ascii("serial"))), "");
    EXPECT_EQ(parse_unit_serial({}), "");
}

TEST(Vpd, AUnitSerialLosesItsPadding) {
    EXPECT_EQ(parse_unit_serial(page(0x80, ascii("  serial 1  "))), "serial 1");
    EXPECT_EQ(parse_unit_serial(page(0x80, ascii(std::string_view("abc\0\0", 5)))), "abc");
    EXPECT_EQ(parse_unit_serial(page(0x80, ascii("    "))), "");
    auto longer = page(0x80, ascii("abcdef"));
    longer[3] = 3;
    EXPECT_EQ(parse_unit_serial(longer), "abc");
    longer[3] = 200;
    EXPECT_EQ(parse_unit_serial(longer), "abcdef");
}

} // namespace
} // namespace quiesced
