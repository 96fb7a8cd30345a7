// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/match_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quiesced {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string refusal(std::string_view text) {
    const auto parsed = parse_match_request(text);
    if (parsed) return "accepted";
    EXPECT_EQ(parsed.error().kind, ErrorKind::invalid_argument);
    return parsed.error().message();
}

TEST(MatchText, ARequestIsAListOfObjectsWithTextsAndWholeNumbers) {
    const auto parsed = parse_match_request(R"([{"id": "a", "size": 18446744073709551615, "serial": null}, {}])");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->dump(), R"([{"id":"a","size":18446744073709551615},{}])");
    EXPECT_EQ(parse_match_request("[]")->size(), 0U);
}

TEST(MatchText, WhatIsNoRequestSaysWhichDiskAndKey) {
    EXPECT_THAT(refusal(""), HasSubstr("this is no JSON"));
    EXPECT_THAT(refusal("[{]"), HasSubstr("this is no JSON"));
    EXPECT_THAT(refusal("{}"), HasSubstr("this is no list"));
    EXPECT_THAT(refusal("[{}, 1]"), HasSubstr("disk 1 is no object"));
    for (const auto* value : {"-1", "1.5", "true", "[]", "{}"})
        EXPECT_THAT(refusal(std::string(R"([{"size": )") + value + "}]"), HasSubstr("disk 0: 'size' is neither a text nor a whole number"));
    EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("this is no JSON")) << "however deep";
}

const Json& answer() {
    static const auto json = Json::parse(R"([
        {"id": "disk-1", "result": "matched", "reason": "", "contradictions": ["The hypervisor says lun."], "weak": false,
         "matched_on": ["serial=data-1"], "unknown": [], "disk": "vdb", "device": "/dev/vdb", "placement": "lun", "volumes": ["/srv"]},
        {"id": "", "result": "none", "reason": "No disk of this guest agrees with what was said.", "contradictions": []},
        {"id": "x", "result": "ambiguous", "reason": "2 disks fit.", "contradictions": [], "candidates": ["/dev/sda", "/dev/sdb"]}])");
    return json;
}

TEST(MatchText, EachDiskHasALineAndBelowThemWhatIsToBeKnown) {
    const auto text = render_matches(answer(), {});
    EXPECT_THAT(text, AllOf(HasSubstr("RESULT"), HasSubstr("disk-1"), HasSubstr("/dev/vdb"), HasSubstr("serial=data-1"), HasSubstr("/srv")));
    EXPECT_THAT(text, HasSubstr("\n#1: No disk of this guest agrees with what was said.\n")) << "without a name, its place";
    EXPECT_THAT(text, HasSubstr("\nx: 2 disks fit.\nx: Candidates: /dev/sda, /dev/sdb.\n"));
    EXPECT_THAT(text, HasSubstr("\ndisk-1: The hypervisor says lun.\n"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(render_matches(answer(), {.width = 80, .colour = true}), HasSubstr("\x1b"));
}

TEST(MatchText, AWeakMatchIsCalledOne) {
    auto weak = answer();
    weak[0]["weak"] = true;
    EXPECT_THAT(render_matches(weak, {}), HasSubstr("matched (weak)"));
}

TEST(MatchText, AnEscapeSequenceInAnIdDoesNoHarm) {
    auto json = answer();
    json[0]["id"] = "a\x1b[2Jb";
    EXPECT_THAT(render_matches(json, {}), Not(HasSubstr("\x1b")));
}

TEST(MatchText, AllMatchedMeansEachOfThem) {
    EXPECT_FALSE(all_matched(answer()));
    EXPECT_TRUE(all_matched(Json::array({answer()[0]})));
    EXPECT_TRUE(all_matched(Json::array()));
    EXPECT_FALSE(all_matched(Json::array({answer()[2]})));
    EXPECT_FALSE(all_matched(Json::array({1})));
    EXPECT_FALSE(all_matched(Json()));
}

} // namespace
} // namespace quiesced
