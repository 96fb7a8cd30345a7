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

TEST(NewsText, IsALineForEachKind) {
    SetNews news{.set = "6560000000000001", .what = "state", .state = "failed", .error = "no\nroom"};
    EXPECT_EQ(news_text(news), "6560000000000001 failed: no\\x0aroom");
    news = {.set = "6560000000000001", .what = "progress", .volume = "/srv/data", .step = "arm", .done = 1, .total = 2};
    EXPECT_EQ(news_text(news), "6560000000000001 arm /srv/data 1/2");
    news = {.set = "6560000000000001", .what = "warning", .volume = "/srv/data", .kind = "space_low", .message = "80 % full"};
    EXPECT_EQ(news_text(news), "6560000000000001 warning (space_low): /srv/data: 80 % full");
    EXPECT_EQ(news_text({.set = {}, .what = "ended"}), "quiesced ended");
}

TEST(LeaseText, NoSetIsSaidInWords) { EXPECT_THAT(render_leases(Json::array(), {}), HasSubstr("Nobody holds a volume")); }

} // namespace
} // namespace quiesced
