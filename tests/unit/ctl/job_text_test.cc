// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/job_text.h"

#include <gmock/gmock.h>

namespace quiesced {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

const Screen kWide{.width = 160};
const auto kNow = std::chrono::system_clock::time_point(std::chrono::seconds(1700000060));

Json job(const std::string& state) {
    return {{"Job", "3"}, {"Kind", "revert"}, {"SnapshotSet", "/org/quiesced1/set/6560000000000001"}, {"Members", {"/srv/data", "/srv/log"}},
            {"State", state}, {"Progress", 0.456}, {"Started", 1700000000000000U}, {"Error", ""}};
}

TEST(JobText, ShowsHowFarItIs) {
    const auto text = render_jobs(Json::array({job("running")}), kNow, kWide);
    EXPECT_THAT(text, AllOf(ContainsRegex("3 +revert +6560000000000001 +/srv/data +running +45 % +1.00 min ago"), HasSubstr("/srv/log")));
}

TEST(JobText, SaysBelowWhyOneFailed) {
    auto failed = job("failed");
    failed["Error"] = "org.quiesced1.Error.LvmFailed: no";
    EXPECT_THAT(render_jobs(Json::array({failed}), kNow, kWide), HasSubstr("\n3: org.quiesced1.Error.LvmFailed: no\n"));
}

TEST(JobText, AnAnswerOfAnotherReleaseIsShownAsFarAsItGoes) {
    EXPECT_THAT(render_jobs(Json::parse(R"([{"Job": "9", "Progress": "x", "SnapshotSet": 3}])"), kNow, kWide), HasSubstr("9"));
    EXPECT_EQ(render_jobs(Json::array(), kNow, kWide), "Nothing goes on for long.\n");
}

} // namespace
} // namespace quiesced
