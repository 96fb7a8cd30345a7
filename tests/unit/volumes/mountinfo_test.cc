// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/mountinfo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <string>

namespace quiesced {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Mountinfo, EveryFieldOfALineIsKept) {
    const auto table =
        parse_mountinfo("36 35 98:5 /mnt1 /mnt2 rw,noatime shared:7 master:1 - ext4 /dev/sdb5 ro,errors=continue\n");
    ASSERT_THAT(table.errors, IsEmpty());
    ASSERT_THAT(table.entries, SizeIs(1));
    const auto& entry = table.entries.front();
    EXPECT_EQ(entry.mount_id, 36U);
    EXPECT_EQ(entry.parent_id, 35U);
    EXPECT_EQ(entry.device, (DeviceNumber{98, 5}));
    EXPECT_EQ(entry.root, "/mnt1");
    EXPECT_EQ(entry.mount_point, "/mnt2");
    EXPECT_EQ(entry.options, "rw,noatime");
    EXPECT_THAT(entry.optional_fields, ElementsAre("shared:7", "master:1"));
    EXPECT_EQ(entry.file_system, "ext4");
    EXPECT_EQ(entry.source, "/dev/sdb5");
    EXPECT_EQ(entry.super_options, "ro,errors=continue");
}

TEST(Mountinfo, OctalEscapesBecomeTheirBytes) {
    EXPECT_EQ(unescape_octal("/a\\040b\\134c\\012d\\011e\\043f"), "/a b\\c\nd\te#f");
    // An escaped backslash in front of digits is no second escape.
    EXPECT_EQ(unescape_octal("\\134040"), "\\040");
    EXPECT_EQ(unescape_octal("\\377"), "\xff");
}

TEST(Mountinfo, ABackslashThatIsNoEscapeStays) {
    EXPECT_EQ(unescape_octal("\\"), "\\");
    EXPECT_EQ(unescape_octal("\\04"), "\\04");
    EXPECT_EQ(unescape_octal("\\08x"), "\\08x");
    EXPECT_EQ(unescape_octal("\\400"), "\\400");
}

TEST(Mountinfo, EscapedMountPointsAreWholePaths) {
    const auto table = parse_mountinfo("9 1 8:1 / /my\\040disk\\012two rw - ext4 /dev/with\\040space rw\n");
    ASSERT_THAT(table.entries, SizeIs(1));
    EXPECT_EQ(table.entries.front().mount_point, "/my disk\ntwo");
    EXPECT_EQ(table.entries.front().source, "/dev/with space");
}

TEST(Mountinfo, InvalidUtf8IsKeptByteForByte) {
    const auto table = parse_mountinfo("9 1 8:1 / /m\xc3\x28\xff rw - ext4 /dev/sda1 rw\n");
    ASSERT_THAT(table.entries, SizeIs(1));
    EXPECT_EQ(table.entries.front().mount_point, "/m\xc3\x28\xff");
}

TEST(Mountinfo, AnEmptySourceKeepsItsPlace) {
    const auto table = parse_mountinfo("9 1 0:40 / /t rw - tmpfs  rw,size=4k\n");
    ASSERT_THAT(table.entries, SizeIs(1));
    EXPECT_EQ(table.entries.front().source, "");
    EXPECT_EQ(table.entries.front().super_options, "rw,size=4k");
}

TEST(Mountinfo, ABadLineCostsThatLineOnly) {
    const auto table = parse_mountinfo("9 1 8:1 / /a rw - ext4 /dev/sda1 rw\n"
                                       "garbage\n"
                                       "x 1 8:1 / /a rw - ext4 s rw\n"
                                       "9 1 8;1 / /a rw - ext4 s rw\n"
                                       "9 1 8:1 / relative rw - ext4 s rw\n"
                                       "9 1 8:1 / /a rw shared:1 ext4 s rw\n"
                                       "9 1 8:1 / /a\\000b rw - ext4 s rw\n"
                                       "9 1 8:1 / /a rw -\n"
                                       "10 1 8:2 / /b rw - xfs /dev/sda2 rw");
    ASSERT_THAT(table.entries, SizeIs(2));
    EXPECT_EQ(table.entries.back().mount_point, "/b");
    ASSERT_THAT(table.errors, SizeIs(7));
    EXPECT_EQ(table.errors.front().line, 2U);
    EXPECT_THAT(table.errors.front().reason, HasSubstr("line 2 "));
    EXPECT_EQ(table.errors.back().line, 8U);
}

TEST(Mountinfo, RandomBytesAreErrorsOrEntriesAndNeverMore) {
    std::mt19937 random(1); // NOLINT: the same bytes each time
    constexpr std::string_view alphabet = "0123456789 :/\\-\n\xff"
                                          "aerwx";
    for (int round = 0; round < 2000; ++round) {
        std::string text(random() % 200, ' ');
        for (auto& c : text) c = alphabet.at(random() % alphabet.size());
        const auto table = parse_mountinfo(text);
        const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
        EXPECT_LE(table.entries.size() + table.errors.size(), lines);
        for (const auto& entry : table.entries) EXPECT_EQ(entry.mount_point.front(), '/');
    }
}

TEST(Mountinfo, AMissingTableIsAnError) { EXPECT_EQ(read_mountinfo("/nonexistent").error().error_number, ENOENT); }

TEST(Mountinfo, OptionsAreFoundByTheirWholeName) {
    EXPECT_EQ(option_value("rw,xlogdev=a,logdev=/dev/v\\040dc,rtdev=b", "logdev"), "/dev/v dc");
    EXPECT_EQ(option_value("rw,logdevice=a", "logdev"), "");
    EXPECT_TRUE(has_option("noatime,ro", "ro"));
    EXPECT_FALSE(has_option("errors=remount-ro,rw", "ro"));
}

} // namespace
} // namespace quiesced
