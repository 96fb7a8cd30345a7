// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/outside.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/child.h"
#include "writers/script_writer.h"
#include "writers/session_writer.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Outside, WithoutARunnerAProgramIsAPlainChild) {
    EXPECT_THAT(Outside().wrap({"/bin/a", "$x"}, {"A=1"}, "u", milliseconds(1)), ElementsAre("/bin/a", "$x"));
}

TEST(Outside, AUnitHasItsLimitAndTheProgramsWholeEnvironment) {
    const auto words = Outside("/usr/bin/systemd-run").wrap({"/bin/a", "freeze $HOME"}, {"A=1", "B=two\nlines"}, "quiesced-writer-1", milliseconds(1500));
    EXPECT_EQ(words.front(), "/usr/bin/systemd-run");
    for (const auto* word : {"--pipe", "--wait", "--collect", "--unit=quiesced-writer-1", "--property=RuntimeMaxSec=1500ms", "--setenv=A=1", "--setenv=B=two\nlines"})
        EXPECT_THAT(words, Contains(word));
    EXPECT_EQ(words[words.size() - 3], "--");
    EXPECT_EQ(words.back(), "freeze $$HOME") << "systemd would put root's home there";
    EXPECT_THAT(Outside("/usr/bin/systemd-run").wrap({"/bin/a"}, {}, "u", milliseconds(0)), Not(Contains(HasSubstr("RuntimeMaxSec"))));
}

TEST(Outside, AUnitsNameHasNoCharacterThatSystemdRefuses) {
    EXPECT_EQ(outside_unit("6560000000000001", "10-flush it", "freeze"), "quiesced-writer-6560000000000001-10_2dflush_20it-freeze");
    EXPECT_LE(outside_unit("6560000000000001", std::string(255, '-'), "session").size(), 220U);
}

/// Stands for systemd-run: notes its words, then becomes what is behind "--".
class Runner : public testing::Test {
protected:
    Runner() {
        if (::mkdtemp(folder_.data()) == nullptr) std::abort();
        script("runner", "printf '%s\\n' \"$@\" >> " + folder_ + "/words\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n");
    }
    ~Runner() override { std::filesystem::remove_all(folder_); }
    void script(const std::string& name, const std::string& text) {
        std::ofstream(folder_ + "/" + name) << "#!/bin/sh\n" << text;
        ::chmod((folder_ + "/" + name).c_str(), 0755);
    }
    std::string words() {
        std::stringstream text;
        text << std::ifstream(folder_ + "/words").rdbuf();
        return text.str();
    }
    std::string folder_ = (std::filesystem::path("/root").string() + "/quiesced-outside-XXXXXX");
    const WriterContext context_{.set = "6560000000000001", .volumes = {"/srv/data"}, .aborted = false};
};

TEST_F(Runner, RunsAScriptAndHandsItsStatusAndWordsBack) {
    if (::geteuid() != 0) GTEST_SKIP() << "missing: root, whose scripts are trusted";
    script("hook", "test $1 = freeze || { echo not so >&2; exit 3; }\n");
    ScriptWriter writer("hook", {folder_ + "/hook"}, false, Outside(folder_ + "/runner"));
    EXPECT_TRUE(writer.freeze(context_, Monotonic::now() + std::chrono::seconds(10)));
    const auto thawed = writer.thaw(context_, Monotonic::now() + std::chrono::seconds(10));
    ASSERT_FALSE(thawed);
    EXPECT_THAT(thawed.error().message(), HasSubstr("exit status 3: not so"));
    EXPECT_THAT(words(), HasSubstr("--unit=quiesced-writer-6560000000000001-hook-freeze\n"));
    EXPECT_THAT(words(), HasSubstr("--setenv=QUIESCED_SET=6560000000000001\n"));
}

TEST_F(Runner, HoldsASessionOverItsOwnConnection) {
    if (::geteuid() != 0) GTEST_SKIP() << "missing: root, whose scripts are trusted";
    script("session", "while read line; do echo '{\"ok\": true}'; done\n");
    SessionWriter writer("db", {folder_ + "/session"}, Outside(folder_ + "/runner"));
    const auto until = Monotonic::now() + std::chrono::seconds(10);
    EXPECT_TRUE(writer.prepare(context_, until));
    EXPECT_TRUE(writer.freeze(context_, until));
    EXPECT_TRUE(writer.thaw(context_, until));
    EXPECT_THAT(words(), HasSubstr("-db-session\n"));
}

} // namespace
} // namespace quiesced
