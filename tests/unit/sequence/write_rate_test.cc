// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/write_rate.h"

#include <gmock/gmock.h>

#include <fstream>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(Diskstats, SectorsWrittenBecomeBytes) {
    const auto written = parse_diskstats(" 252       0 vda 17142 7061 1402290 12024 10236 9731 2000 37437 0 8 9 0 0 0 0 1 2\n"
                                         " 253       3 dm-3 1 0 8 0 5 0 40 0 0 0 0\n");
    EXPECT_THAT(written, ElementsAre(Pair(DeviceNumber{252, 0}, 2000U * 512), Pair(DeviceNumber{253, 3}, 40U * 512)));
}

TEST(Diskstats, ALineThatIsNoneIsLeftOut) {
    EXPECT_THAT(parse_diskstats("garbage\n\n 8 0 sda 1 2 3\n 8 x sdb 1 2 3 4 5 6 7 8\n 8 1 sda1 1 2 3 4 5 6 -7 8 9 1 2\n"), IsEmpty());
    EXPECT_THAT(parse_diskstats("8 0 sda 1 2 3 4 5 6 7"), ElementsAre(Pair(DeviceNumber{8, 0}, 7U * 512))) << "no newline at the end";
    EXPECT_THAT(parse_diskstats(""), IsEmpty());
    EXPECT_THAT(parse_diskstats("8 0 sda 1 2 3 4 5 6 36028797018963968"), IsEmpty()) << "2^64 bytes and more";
}

TEST(WriteRates, AreBytesASecondOfTheDevicesInBothSamples) {
    const auto begin = Monotonic::now();
    const WriteSample first{.taken = begin, .written = {{{8, 0}, 1000}, {{8, 16}, 500}, {{8, 32}, 7}}};
    const WriteSample second{.taken = begin + std::chrono::milliseconds(500), .written = {{{8, 0}, 3000}, {{8, 16}, 400}, {{8, 48}, 9}}};
    EXPECT_THAT(write_rates(first, second), ElementsAre(Pair(DeviceNumber{8, 0}, 4000U)))
        << "a number that became smaller is another device's";
    EXPECT_THAT(write_rates(first, first), IsEmpty()) << "no time passed";
    const WriteSample full{.taken = begin + std::chrono::nanoseconds(1), .written = {{{8, 0}, UINT64_MAX}}};
    EXPECT_THAT(write_rates(first, full), ElementsAre(Pair(DeviceNumber{8, 0}, 1000000000000000000U)));
}

TEST(WriteRates, TheKernelsOwnTableCanBeRead) {
    EXPECT_TRUE(sample_writes());
    EXPECT_FALSE(sample_writes("/nowhere/diskstats"));
}

} // namespace
} // namespace quiesced
