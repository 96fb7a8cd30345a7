// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/thin_delta.h"

#include <gmock/gmock.h>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kBlock = 65536;

const std::string kHead = R"(<superblock uuid="" time="2" transaction="5" data_block_size="128" nr_data_blocks="0">
  <diff left="1" right="2">
)";
const std::string kTail = "  </diff>\n</superblock>\n";

TEST(ThinDelta, TakesEverythingThatIsNotTheSame) {
    const auto ranges = parse_thin_delta(kHead + R"(    <same begin="0" length="16"/>
    <different begin="16" length="1"/>
    <left_only begin="17" length="3"/>
    <same begin="20" length="80"/>
    <right_only begin="100" length="24"/>
)" + kTail, kBlock, 120 * kBlock);
    ASSERT_TRUE(ranges) << ranges.error().message();
    EXPECT_THAT(*ranges, ElementsAre(ByteRange{16 * kBlock, 4 * kBlock}, ByteRange{100 * kBlock, 20 * kBlock}));
}

TEST(ThinDelta, NothingDiffers) { EXPECT_THAT(parse_thin_delta(kHead + kTail, kBlock, kBlock).value(), IsEmpty()); }

TEST(ThinDelta, AnswersThatAreCutShortOrGarbledAreRefused) {
    const std::string line = R"(<different begin="16" length="1"/>)";
    EXPECT_TRUE(parse_thin_delta(kHead + line + kTail, kBlock, 100 * kBlock));
    EXPECT_THAT(parse_thin_delta(kHead + line, kBlock, 100 * kBlock).error().message(), HasSubstr("no end"));
    for (const auto* bad : {R"(<different begin="x" length="1"/>)", R"(<different length="1"/>)", R"(<left_only begin="16"/>)",
                            R"(<right_only begin="999999999999999999" length="1"/>)", R"(<different begin="1)"})
        EXPECT_FALSE(parse_thin_delta(kHead + bad + kTail, kBlock, 100 * kBlock)) << bad;
}

TEST(ThinTables, AreRead) {
    const auto device = parse_thin_table("253:4 7 253:9");
    ASSERT_TRUE(device);
    EXPECT_EQ(device->pool.text(), "253:4");
    EXPECT_EQ(device->id, 7U);
    const auto pool = parse_pool_table("253:2 253:3 128 0 1 skip_block_zeroing");
    ASSERT_TRUE(pool);
    EXPECT_EQ(pool->metadata.text(), "253:2");
    EXPECT_EQ(pool->block, kBlock);
    for (const auto* bad : {"", "253:4", "x 7", "253:4 x"}) EXPECT_FALSE(parse_thin_table(bad)) << bad;
    for (const auto* bad : {"", "253:2 253:3", "253:2 253:3 0", "a b 128"}) EXPECT_FALSE(parse_pool_table(bad)) << bad;
}

} // namespace
} // namespace quiesced
