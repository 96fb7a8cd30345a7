// SPDX-License-Identifier: LGPL-2.1-or-later
#include "draw/plan.h"

#include <gmock/gmock.h>

#include <initializer_list>
#include <utility>

#include "svg_parse.h"
#include "view/text.h"

namespace quiesced {
namespace {

using testing::Contains;
using testing::HasSubstr;

Json node(const std::string& id, const std::string& label, const std::string& kind, const std::string& placement) {
    return {{"id", id}, {"label", label}, {"kind", kind}, {"placement", placement}, {"member", kind == "volume"}};
}

Json edge(const std::string& above, const std::string& below) { return Json::array({above, below}); }

/// A volume in a loop file on a logical volume on a disk; and one on a LUN.
Json sample() {
    Json plan{{"feasible", true}, {"kernel", "6.1.0"}};
    plan["members"] = {{{"name", "/srv/a"}, {"provider", "lvm"}, {"error", ""}, {"write_rate", 1024}}, {{"name", "/srv/lun"}, {"provider", "exec"}, {"error", ""}}};
    plan["carried"] = Json::array({{{"name", "/srv/a/inner"}, {"inside", "/srv/a"}}});
    plan["levels"] = {{"/srv/a/inner"}, {"/srv/a", "/srv/lun"}};
    plan["graph"]["nodes"] = {node("volume 7:0 /srv/a/inner", "/srv/a/inner\nxfs, 64 MiB", "volume", "virtual"),
                              node("7:0", "/dev/loop0", "loop", "virtual"),
                              node("file of 7:0", "/srv/a/inner.img", "file", "virtual"),
                              node("volume 253:0 /srv/a", "/srv/a\next4, 1 GiB", "volume", "virtual"),
                              node("253:0", "/dev/mapper/vg-a\n1 GiB", "lvm", "virtual"),
                              node("254:0", "/dev/vda\n4 GiB\nvirtio\nserial1", "disk", "virtual"),
                              node("volume 8:0 /srv/lun", "/srv/lun\nxfs", "volume", "lun"),
                              node("8:0", "/dev/sda\niscsi, LIO-ORG", "disk", "lun")};
    for (const auto& [above, below] : std::initializer_list<std::pair<const char*, const char*>>{{"volume 7:0 /srv/a/inner", "7:0"},
                                                                                                {"7:0", "file of 7:0"},
                                                                                                {"file of 7:0", "volume 253:0 /srv/a"},
                                                                                                {"volume 253:0 /srv/a", "253:0"},
                                                                                                {"253:0", "254:0"},
                                                                                                {"volume 8:0 /srv/lun", "8:0"}})
        plan["graph"]["edges"].push_back(edge(above, below));
    return plan;
}

class PlanDrawing : public testing::Test {
protected:
    PlanDrawing() { use_utf8(); }
    static pugi::xml_document drawn(const Json& plan) {
        const auto svg = draw_plan(plan);
        EXPECT_TRUE(svg) << svg.error().message();
        return parse_svg(svg.value_or(""));
    }
    static std::vector<std::string> trimmed(std::vector<std::string> words) {
        for (auto& word : words)
            while (word.ends_with("\u00a0")) word.resize(word.size() - 2);
        return words;
    }
};

TEST_F(PlanDrawing, EveryNodeAndEdgeIsThereByItsName) {
    const auto document = drawn(sample());
    EXPECT_EQ(document.select_nodes("//g[@class='node']").size(), 8U);
    EXPECT_EQ(document.select_nodes("//g[@class='edge']").size(), 6U);
    EXPECT_THAT(words_of(document, "title"), Contains("volume 253:0 /srv/a"));
    EXPECT_THAT(words_of(document, "title"), Contains("253:0->254:0"));
    const auto words = trimmed(words_of(document));
    for (const auto* word : {"/srv/a", "/dev/mapper/vg-a", "logical volume, 1 GiB", "serial1", "snapshot by lvm, writes 1.0 KiB/s", "frozen along with /srv/a",
                             "Plan of a snapshot set: 2 volumes", "It can be taken; kernel 6.1.0"})
        EXPECT_THAT(words, Contains(word));
}

TEST_F(PlanDrawing, LevelsAreFramesAroundTheirVolumes) {
    const auto document = drawn(sample());
    EXPECT_EQ(document.select_nodes("//g[@class='cluster']").size(), 2U);
    EXPECT_THAT(words_of(document), Contains("Level 1: frozen first"));
    EXPECT_THAT(words_of(document), Contains("Level 2"));
}

TEST_F(PlanDrawing, PlacementsHaveColoursAndALegend) {
    const auto document = drawn(sample());
    const auto colour = [&](const char* id) { return std::string(document.select_node((std::string("//g[title='") + id + "']//path/@fill").c_str()).attribute().value()); };
    EXPECT_NE(colour("volume 253:0 /srv/a"), "");
    EXPECT_NE(colour("volume 253:0 /srv/a"), colour("volume 8:0 /srv/lun"));
    EXPECT_EQ(colour("volume 253:0 /srv/a"), colour("253:0"));
    EXPECT_THAT(words_of(document), Contains("virtual"));
    EXPECT_THAT(words_of(document), Contains("lun"));
}

TEST_F(PlanDrawing, NamesOfAnyBytesMakeSoundXml) {
    auto plan = sample();
    const std::string name = "/a<b>&\"'\x01\x1b\\N\\G\u0085\uffff中]]>&amp;";
    plan["members"][0]["name"] = name;
    plan["levels"][1][0] = name;
    plan["graph"]["nodes"][3]["label"] = name + "\next4";
    plan["graph"]["nodes"][3]["id"] = name;
    plan["graph"]["nodes"][4]["kind"] = "<kind>";
    plan["graph"]["nodes"][5]["placement"] = "\"<&>";
    plan["graph"]["nodes"][6]["label"] = "";
    plan["kernel"] = "<&>";
    const auto words = trimmed(words_of(drawn(plan)));
    EXPECT_THAT(words, Contains(HasSubstr("/a<b>&\"'\\x01\\x1b\\N\\G\\xc2\\x85")));
    EXPECT_THAT(words, Contains(HasSubstr("]]>&amp;")));
}

TEST_F(PlanDrawing, ARefusedMemberSaysSo) {
    auto plan = sample();
    plan["feasible"] = false;
    plan["members"][1]["error"] = "nobody can";
    const auto words = trimmed(words_of(drawn(plan)));
    EXPECT_THAT(words, Contains("refused: nobody can"));
    EXPECT_THAT(words, Contains(HasSubstr("It cannot be taken as it is")));
}

TEST_F(PlanDrawing, TwoHundredAndFiftySixMembersFit) {
    Json plan{{"feasible", true}};
    for (int i = 0; i < 256; ++i) {
        const auto name = "/srv/" + std::to_string(i);
        const auto device = "253:" + std::to_string(i);
        plan["members"].push_back({{"name", name}, {"provider", "lvm"}, {"error", ""}});
        plan["levels"][0].push_back(name);
        plan["graph"]["nodes"].push_back(node("volume " + name, name, "volume", "virtual"));
        plan["graph"]["nodes"].push_back(node(device, "/dev/dm-" + std::to_string(i), "lvm", "virtual"));
        plan["graph"]["edges"].push_back(edge("volume " + name, device));
        plan["graph"]["edges"].push_back(edge(device, "254:" + std::to_string(i % 8)));
    }
    for (int i = 0; i < 8; ++i) plan["graph"]["nodes"].push_back(node("254:" + std::to_string(i), "/dev/vd" + std::to_string(i), "disk", "virtual"));
    const auto document = drawn(plan);
    EXPECT_EQ(document.select_nodes("//g[@class='node']").size(), 520U);
    EXPECT_EQ(document.select_nodes("//g[@class='edge']").size(), 512U);
}

TEST_F(PlanDrawing, WhatDoesNotFitTogetherIsLeftOut) {
    auto plan = sample();
    plan["graph"]["edges"].push_back(edge("253:0", "nowhere"));
    plan["graph"]["edges"].push_back(Json::array({"253:0"}));
    plan["graph"]["edges"].push_back(7);
    plan["levels"].push_back(Json::array({"/not/there"}));
    plan["graph"]["edges"].push_back(edge("254:0", "volume 253:0 /srv/a")); // a cycle
    EXPECT_EQ(drawn(plan).select_nodes("//g[@class='edge']").size(), 7U);
    const auto none = draw_plan({{"members", Json::array()}});
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message().find("no graph"), std::string::npos);
    drawn({{"graph", Json::object()}});
}

} // namespace
} // namespace quiesced
