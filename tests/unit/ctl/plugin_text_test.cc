// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/plugin_text.h"

#include <gmock/gmock.h>

namespace quiesced {
namespace {

using testing::HasSubstr;
using testing::Not;

const Screen kWide{.width = 160};

Json plugin() {
    return Json::parse(R"({"Name": "targetd", "State": "ready", "Error": "", "Version": "0.1.0", "Vendor": "Linux LIO", "Capabilities": ["map", "list"],
        "Luns": [{"wwid": "naa.6001405a", "array_volume": "box:pool/lun0"}, {"wwid": "naa.6001405b", "array_volume": ""}],
        "Calls": [{"method": "claim", "took_us": 15321, "error": ""}, {"method": "commit", "took_us": 4249, "error": "array box: no answer in time"}]})");
}

TEST(PluginText, ShowsLunsAndTheLastCallOfEachMethodAndWhatFailed) {
    const auto text = render_plugins(Json::array({plugin()}), kWide);
    EXPECT_THAT(text, HasSubstr("targetd  ready  0.1.0"));
    EXPECT_THAT(text, HasSubstr("naa.6001405a box:pool/lun0"));
    EXPECT_THAT(text, HasSubstr("claim 15.3 ms"));
    EXPECT_THAT(text, HasSubstr("commit 4.2 ms (failed)"));
    EXPECT_THAT(text, HasSubstr("\ntargetd: array box: no answer in time\n"));
}

TEST(PluginText, NamesWhatTheArrayHolds) {
    auto holding = plugin();
    holding["Snapshots"] = Json::array({Json{{"set", "0123456789abcdef"}, {"snapshot", "box:pool/lun0-q0123456789abcdef"}}});
    EXPECT_THAT(render_plugins(Json::array({holding}), kWide), HasSubstr("\ntargetd: holds box:pool/lun0-q0123456789abcdef of set 0123456789abcdef\n"));
}

TEST(PluginText, SaysOnceWhyAPluginFailed) {
    auto failed = plugin();
    failed["State"] = "failed";
    failed["Error"] = "it answered garbage";
    failed["Luns"] = Json::array();
    failed["Calls"] = Json::array({Json{{"method", "describe"}, {"took_us", 3}, {"error", "it answered garbage"}}});
    const auto text = render_plugins(Json::array({failed}), kWide);
    EXPECT_THAT(text, HasSubstr("targetd: it answered garbage\n"));
    EXPECT_EQ(text.find("it answered garbage"), text.rfind("it answered garbage"));
}

TEST(PluginText, WithoutPluginsItSaysHowToGetOne) {
    EXPECT_THAT(render_plugins(Json::array(), kWide), HasSubstr("systemctl enable --now quiesced-plugin-NAME.socket"));
}

TEST(PluginText, AnAnswerOfAnotherReleaseIsShownAsFarAsItGoes) {
    EXPECT_THAT(render_plugins(Json::parse(R"([{"Name": "new", "Calls": 3, "Luns": [7]}])"), kWide), HasSubstr("new"));
}

} // namespace
} // namespace quiesced
