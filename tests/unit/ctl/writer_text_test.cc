// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/writer_text.h"

#include <gmock/gmock.h>

namespace quiesced {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const Screen kWide{.width = 200};

Json writer(const std::string& name) {
    return {{"name", name}, {"kind", "session"}, {"path", "/usr/bin/hold"}, {"file", "/etc/quiesced/writers.d/" + name + ".conf"}, {"volumes", {"/var/lib/db"}},
            {"method", ""}, {"limit_ms", 60000}, {"on_failure", "abort"}, {"ignored", ""}, {"error_name", ""}, {"error", ""}, {"order", 50}};
}

TEST(WriterText, ShowsWhereItIsConfiguredAndHowTheLastTimeWent) {
    auto db = writer("db");
    db["last_state"] = "quiesced";
    db["last_consistency"] = "application";
    db["last_time"] = 1700000000000000U;
    const auto text = render_writers(Json::array({db}), kWide);
    EXPECT_THAT(text, AllOf(ContainsRegex("db +session +/var/lib/db +50 +1.00 min +abort +/etc/quiesced/writers.d/db.conf +quiesced, application"), HasSubstr("2023-11-14T22:13:20Z")));
}

TEST(WriterText, AScriptHasNoNumberAndConcernsEverySet) {
    auto hook = writer("10-flush");
    hook["kind"] = "script";
    hook["volumes"] = Json::array();
    hook.erase("order");
    EXPECT_THAT(render_writers(Json::array({hook}), kWide), ContainsRegex("10-flush +script +every set's +- +1.00 min +abort"));
}

TEST(WriterText, WhatIsRefusedOrIgnoredOrFailedSaysWhyBelow) {
    auto refused = writer("bad");
    refused["error"] = "line 2: there is no key 'colour'";
    auto ignored = writer("off");
    ignored["ignored"] = "it is not executable";
    auto failed = writer("slow");
    failed["last_state"] = "failed";
    failed["last_error"] = "it did not answer in time";
    Json directory{{"name", ""}, {"file", "/etc/quiesced/hooks.d"}, {"error", "it is writable by others"}};
    const auto text = render_writers(Json::array({refused, ignored, failed, directory}), kWide);
    EXPECT_THAT(text, AllOf(ContainsRegex("bad +refused"), ContainsRegex("off +ignored"), ContainsRegex("slow .* failed")));
    EXPECT_THAT(text, AllOf(HasSubstr("\nbad: line 2: there is no key 'colour'\n"), HasSubstr("\noff: it is not executable\n"), HasSubstr("\nslow: it did not answer in time\n"),
                            HasSubstr("\n/etc/quiesced/hooks.d: it is writable by others\n")));
}

TEST(WriterText, WithoutWritersItSaysWhereTheyWouldBe) {
    EXPECT_THAT(render_writers(Json::array(), kWide), HasSubstr("man quiesced-writers"));
}

TEST(WriterText, AnAnswerOfAnotherReleaseIsShownAsFarAsItGoes) {
    EXPECT_THAT(render_writers(Json::parse(R"([{"name": "new", "volumes": 3, "order": "x"}])"), kWide), AllOf(HasSubstr("new"), Not(HasSubstr("x"))));
}

} // namespace
} // namespace quiesced
