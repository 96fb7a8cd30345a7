// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/lease_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quiesced {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(LeaseText, SaysWhoSinceWhenUntilWhenAndWhatEndsIt) {
    const auto leases = Json::parse(R"([
        {"set": "/org/quiesced1/set/6560000000000001", "state": "frozen", "user": 0, "connection": ":1.7", "bound": true, "held": false,
         "since": 999987500000, "until": 1000002500000},
        {"set": "/org/quiesced1/set/6560000000000002", "state": "new", "user": 4294967290, "connection": ":1.8", "bound": false, "held": true,
         "since": 999999000000, "until": 0},
        {"set": "/org/quiesced1/set/6560000000000003"}])");
    const auto text = render_leases(leases, std::chrono::system_clock::time_point(std::chrono::seconds(1000000)));
    EXPECT_THAT(text, HasSubstr("6560000000000001  frozen  root"));
    EXPECT_THAT(text, HasSubstr("12.5 s ago"));
    EXPECT_THAT(text, HasSubstr("in 2.50 s"));
    EXPECT_THAT(text, HasSubstr("connection\n"));
    EXPECT_THAT(text, HasSubstr("4294967290"));
    EXPECT_THAT(text, HasSubstr("handle\n"));
    EXPECT_THAT(text, HasSubstr("6560000000000003")) << "what an answer lacks hides nothing else";
    EXPECT_THAT(text, HasSubstr("deadline\n"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(LeaseText, NoSetIsSaidInWords) { EXPECT_THAT(render_leases(Json::array(), {}), HasSubstr("Nobody holds a volume")); }

} // namespace
} // namespace quiesced
