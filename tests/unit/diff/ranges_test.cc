// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/ranges.h"

#include <gmock/gmock.h>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Ranges, AreSortedAndWhatOverlapsOrTouchesIsOne) {
    EXPECT_THAT(merge_ranges({{40, 10}, {0, 10}, {10, 5}, {12, 4}, {12, 2}}, 100), ElementsAre(ByteRange{0, 16}, ByteRange{40, 10}));
}

TEST(Ranges, EndWithTheDevice) {
    EXPECT_THAT(merge_ranges({{90, 20}, {100, 1}, {UINT64_MAX - 1, 5}, {5, 0}}, 100), ElementsAre(ByteRange{90, 10}));
    EXPECT_THAT(merge_ranges({}, 100), IsEmpty());
}

} // namespace
} // namespace quiesced
