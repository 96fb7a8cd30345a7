// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/ids.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <utility>

namespace quiesced {
namespace {

TEST(SetId, AGeneratedIdIsAcceptedByParse) {
    const auto id = SetId::generate();
    ASSERT_TRUE(id);
    const auto parsed = SetId::parse(id->text());
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(*parsed, *id);
}

TEST(SetId, StartsWithTheTimeSoThatSetsSortByAge) {
    const auto before = std::time(nullptr);
    const auto id = SetId::generate();
    ASSERT_TRUE(id);
    const auto stamp = std::strtoll(id->text().substr(0, 8).c_str(), nullptr, 16);
    EXPECT_GE(stamp, before);
    EXPECT_LE(stamp, std::time(nullptr));
}

TEST(SetId, IdsOfOneSecondSortByAge) {
    auto before = SetId::generate()->text();
    for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        auto next = SetId::generate()->text();
        EXPECT_LT(before, next);
        before = std::move(next);
    }
}

TEST(SetId, TwoIdsOfOneSecondDiffer) { EXPECT_NE(SetId::generate()->text(), SetId::generate()->text()); }

TEST(SetId, AnythingButSixteenLowerCaseHexadecimalDigitsIsRefused) {
    for (const char* text : {"", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdeg",
                             "../../../../../..", " 123456789abcdef", "0x23456789abcdef"}) {
        const auto id = SetId::parse(text);
        ASSERT_FALSE(id) << text;
        EXPECT_EQ(id.error().kind, ErrorKind::no_such_set);
        EXPECT_NE(id.error().context.find(text), std::string::npos);
    }
}

TEST(SetId, AnEndlessTextIsCutInTheMessage) {
    const auto id = SetId::parse(std::string(100000, 'a'));
    ASSERT_FALSE(id);
    EXPECT_LT(id.error().message().size(), 300U);
}

TEST(DeviceNumber, ReadsWhatMountinfoAndSysfsWrite) {
    const auto number = DeviceNumber::parse("253:4");
    ASSERT_TRUE(number);
    EXPECT_EQ(number->major, 253U);
    EXPECT_EQ(number->minor, 4U);
    EXPECT_EQ(number->text(), "253:4");
}

TEST(DeviceNumber, KeepsMinorsAbove255) {
    const DeviceNumber number{.major = 259, .minor = 1048575};
    EXPECT_EQ(DeviceNumber::from(number.device()), number);
}

TEST(DeviceNumber, RefusesWhatIsNoNumber) {
    for (const char* text : {"", ":", "8", "8:", ":1", "8:1 ", "8:-1", "a:b", "8:1:2", "4294967296:0", " 8:1"})
        EXPECT_FALSE(DeviceNumber::parse(text)) << text;
}

TEST(Bytes, AreWrittenForPeople) {
    EXPECT_EQ(Bytes{0}.text(), "0 B");
    EXPECT_EQ(Bytes{1023}.text(), "1023 B");
    EXPECT_EQ(Bytes{1536}.text(), "1.5 KiB");
    EXPECT_EQ(Bytes{5ULL << 30U}.text(), "5.0 GiB");
    EXPECT_EQ(Bytes{200ULL << 40U}.text(), "200 TiB");
    EXPECT_EQ(Bytes{~0ULL}.text(), "16.0 EiB");
}

} // namespace
} // namespace quiesced
