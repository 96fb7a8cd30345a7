// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/plan_text.h"

#include <sstream>

#include <gtest/gtest.h>

namespace quiesced {
namespace {

class PlanText : public testing::Test {
protected:
    PlanText() { use_utf8(); }
    static Json member(const std::string& name, const std::string& provider) {
        return {{"name", name}, {"placement", "virtual"}, {"file_system", "ext4"}, {"provider", provider}, {"provider_reason", "It is a logical volume."},
                {"refusals", Json::array()}, {"level", 1}, {"carries", Json::array()}, {"error_name", ""}, {"error", ""}};
    }
    static Json sample() {
        auto outer = member("/srv/a", "lvm");
        outer["write_rate"] = 3ULL << 20U;
        outer["store"] = 1ULL << 30U;
        outer["fills_in_s"] = 341;
        auto carried = member("/srv/a/inner", "");
        carried["inside"] = "/srv/a";
        Json plan{{"feasible", true}, {"kernel", "6.1.0"}, {"sample_ms", 1000}};
        plan["members"] = {outer, member("/srv/b", "lvm")};
        plan["carried"] = Json::array({carried});
        plan["levels"] = {{"/srv/a/inner"}, {"/srv/a", "/srv/b"}};
        plan["providers"] = Json::array({{{"name", "lvm"}, {"kind", "lvm"}, {"volumes", {"/srv/a", "/srv/b"}}, {"error", ""}}});
        plan["space"] = Json::array({{{"kind", "volume-group"}, {"name", "vg"}, {"enough", true}, {"text", "2 GiB are needed, 10 GiB are free."}}});
        plan["writers"] = Json::array({{{"name", "db"}, {"kind", "script"}, {"path", "/etc/quiesced/hooks.d/db"}}});
        plan["writers_left_out"] = {"/etc/quiesced/hooks.d/old is not executable."};
        plan["writers_error"] = "";
        plan["skipped"] = Json::array({{{"name", "/mnt/nfs"}, {"error_name", "org.quiesced1.Error.Unsupported"}, {"reason", "nfs4 is a network file system."}, {"placement", "network"}},
                                    {{"name", "/proc"}, {"error_name", "org.quiesced1.Error.Unsupported"}, {"reason", "No disk."}, {"placement", "none"}}});
        plan["warnings"] = Json::array({{{"key", "journal_on_member"}, {"text", "The journal is on /srv/a."}, {"advice", "Nothing to do."}, {"volumes", {"/srv/a"}}}});
        return plan;
    }
};

TEST_F(PlanText, ShowsTheOrderTheProvidersTheRoomAndTheWarnings) {
    EXPECT_EQ(render_plan(sample(), {}), R"(A set of 2 volumes can be taken. Nothing was touched.

FREEZE: each level at once, 1 first; thawed the other way round
LEVEL  VOLUME        PLACEMENT  FSTYPE  PROVIDER      WRITES    STORE   FULL IN
    1  /srv/a/inner  virtual    ext4    in /srv/a          -        -         -
    2  /srv/a        virtual    ext4    lvm        3.0 MiB/s  1.0 GiB  5.68 min
    2  /srv/b        virtual    ext4    lvm                -        -         -

SNAPSHOTS BY
  lvm: It is a logical volume.
    /srv/a, /srv/b

SPACE
  volume-group vg: 2 GiB are needed, 10 GiB are free.

WRITERS: run before the freeze, and after the thaw in reverse
  1. script /etc/quiesced/hooks.d/db
  not run: /etc/quiesced/hooks.d/old is not executable.

WARNINGS
  ! The journal is on /srv/a.
    /srv/a
    Nothing to do.

SKIPPED
VOLUME    WHY          REASON
/mnt/nfs  Unsupported  nfs4 is a network file system.
  and 1 without a disk, such as /proc
)");
}

TEST_F(PlanText, SaysWhatWouldBeRefusedAndWhy) {
    auto plan = sample();
    plan["feasible"] = false;
    auto& refused = plan["members"][1];
    refused["error_name"] = "org.quiesced1.Error.NoProvider";
    refused["error"] = "nobody can take a snapshot of /srv/b.";
    refused["refusals"] = Json::array({{{"provider", "lvm"}, {"reason", "it is no logical volume"}}});
    plan["space"][0]["enough"] = false;
    const auto text = render_plan(plan, {});
    EXPECT_NE(text.find("This set would be refused: 1 of 2 volumes cannot be members."), std::string::npos) << text;
    EXPECT_NE(text.find("REFUSED\n  /srv/b (NoProvider):\n    nobody can take a snapshot of /srv/b.\n    lvm: it is no logical volume\n"), std::string::npos) << text;
    EXPECT_NE(text.find("vg: NOT ENOUGH. 2 GiB"), std::string::npos) << text;
}

TEST_F(PlanText, FitsTheScreenWhateverTheSentences) {
    auto plan = sample();
    std::string sentence;
    for (int i = 0; i < 60; ++i) sentence += "word" + std::to_string(i) + " ";
    plan["warnings"][0]["text"] = sentence;
    plan["skipped"][0]["reason"] = sentence;
    std::istringstream lines(render_plan(plan, {}));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(text_width(line), kScreenWidth) << line;
}

TEST_F(PlanText, AnAnswerWithoutItsKeysIsShownAsFarAsItGoes) {
    EXPECT_EQ(render_plan(Json::object(), {}), "There is nothing that a set could be taken of. Nothing was touched.\n");
    EXPECT_NE(render_plan({{"members", {1, {{"name", "/a"}}}}, {"levels", {{"/a"}}}, {"space", "x"}}, {}).find("/a"), std::string::npos);
}

TEST_F(PlanText, ColoursTellBadFromGood) {
    EXPECT_EQ(render_plan(sample(), {}).find('\x1b'), std::string::npos);
    const auto text = render_plan(sample(), {.width = 80, .colour = true});
    EXPECT_NE(text.find("\x1b[32mA set of 2"), std::string::npos);
    EXPECT_NE(text.find("\x1b[33m! The journal"), std::string::npos);
}

} // namespace
} // namespace quiesced
