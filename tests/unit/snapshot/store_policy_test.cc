// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/store_policy.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

void expect(const std::string& text, StorePolicy::Base base, std::uint64_t value) {
    const auto policy = parse_store_policy(text);
    ASSERT_TRUE(policy) << text;
    EXPECT_EQ(policy->base, base) << text;
    EXPECT_EQ(policy->value, value) << text;
}

TEST(StorePolicy, ReadsSizesAndPercentages) {
    expect("auto", StorePolicy::Base::writes, 200);
    expect("512M", StorePolicy::Base::bytes, 512ULL << 20U);
    expect("2G", StorePolicy::Base::bytes, 2ULL << 30U);
    expect("1T", StorePolicy::Base::bytes, 1ULL << 40U);
    expect("20%SIZE", StorePolicy::Base::size, 20);
    expect("1000%USED", StorePolicy::Base::used, 1000);
    expect("100%FREE", StorePolicy::Base::free, 100);
}

TEST(StorePolicy, RefusesWhatIsNone) {
    for (const auto* text : {"", "0M", "512", "512m", "M", "-1M", "20%", "20%size", "0%SIZE", "1001%SIZE", "101%FREE", " 1G", "1G ", "99999999999T", "1.5G"}) {
        const auto policy = parse_store_policy(text);
        ASSERT_FALSE(policy) << text;
        EXPECT_EQ(policy.error().kind, ErrorKind::invalid_argument);
    }
}

} // namespace
} // namespace quiesced
