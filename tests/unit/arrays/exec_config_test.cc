// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/exec/exec_config.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "base/command_line.h"
#include "fake_plugin.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ExecCommandLine, SplitsWordsAndQuotes) {
    EXPECT_THAT(split_command("/bin/a b  c").value(), ElementsAre("/bin/a", "b", "c"));
    EXPECT_THAT(split_command(R"(/bin/a 'b  $c' "d \"e\" \n" f\ g '' x"y"z)").value(),
                ElementsAre("/bin/a", "b  $c", R"(d "e" \n)", "f g", "", "xyz"));
}

TEST(ExecCommandLine, RefusesWhatIsIncomplete) {
    for (const char* text : {"", "  ", "a b", "/bin/a 'b", "/bin/a \"b", "/bin/a \\"})
        EXPECT_FALSE(split_command(text)) << text;
}

std::string problem(const std::string& text) {
    const auto config = parse_exec_config(text);
    return config ? "" : config.error().message();
}

constexpr const char* kMinimum = "wwid = naa.6001405*\ncommit = /bin/cut\nabort = /bin/undo\n";

TEST(ExecConfig, ReadsKeysWithAndWithoutSection) {
    for (const std::string head : {"", "[exec]\n"}) {
        const auto config = parse_exec_config(head + kMinimum + "commit_limit = 500ms\nprepare_limit = 1.5\nvendor = LIO-ORG  NETAPP\npreload = no\n");
        ASSERT_TRUE(config) << config.error().message();
        EXPECT_THAT(config->command("commit").argv, ElementsAre("/bin/cut"));
        EXPECT_EQ(config->command("commit").limit, std::chrono::milliseconds(500));
        EXPECT_EQ(config->command("prepare").limit, std::chrono::milliseconds(1500));
        EXPECT_EQ(config->command("abort").limit, std::chrono::seconds(50));
        EXPECT_THAT(config->command("delete").argv, ElementsAre("/bin/undo")); // as abort
        EXPECT_THAT(config->vendor, ElementsAre("LIO-ORG", "NETAPP"));
        EXPECT_FALSE(config->preload);
    }
    EXPECT_TRUE(parse_exec_config(kMinimum)->preload);
}

TEST(ExecConfig, RefusesWhatItDoesNotUnderstandByName) {
    const std::string minimum = kMinimum;
    EXPECT_THAT(problem(minimum + "comit = /bin/x\n"), HasSubstr("line 4: there is no key 'comit'"));
    EXPECT_THAT(problem(minimum + "[other]\nwwid = x\n"), HasSubstr("no section [other]"));
    EXPECT_THAT(problem(minimum + "finish = relative\n"), HasSubstr("finish: a command must begin with the full path"));
    EXPECT_THAT(problem(minimum + "finish_limit = soon\n"), HasSubstr("finish_limit is a time"));
    EXPECT_THAT(problem(minimum + "finish_limit = -1\n"), HasSubstr("finish_limit is a time"));
    EXPECT_THAT(problem(minimum + "finish_limit = nan\n"), HasSubstr("finish_limit is a time"));
    EXPECT_THAT(problem(minimum + "preload = maybe\n"), HasSubstr("preload is yes or no"));
    EXPECT_THAT(problem(minimum + "abort = /bin/other\n"), HasSubstr("abort is given twice"));
    EXPECT_THAT(problem(minimum + "just words\n"), HasSubstr("line 4 is no 'key = value'"));
    EXPECT_THAT(problem(minimum + "finish = /bin/" + std::string(300, 'x') + "\n"), HasSubstr("line 4 is longer than"));
    EXPECT_THAT(problem("wwid = a\nabort = /bin/x\n"), HasSubstr("no command for commit"));
    EXPECT_THAT(problem("wwid = a\ncommit = /bin/x\n"), HasSubstr("no command for abort"));
    EXPECT_THAT(problem("abort = /bin/x\ncommit = /bin/x\n"), HasSubstr("set wwid, vendor or claim"));
    EXPECT_THAT(problem(minimum + "preload = no\ncommit_ready = yes\n"), HasSubstr("needs preload"));
}

class ExecConfigFile : public testing::Test {
protected:
    void write(const std::string& text, mode_t mode = 0644) {
        std::ofstream(path_) << text;
        ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    }
    TemporaryDirectory directory_;
    std::string path_ = directory_.path("exec.conf");
};

TEST_F(ExecConfigFile, IsRefusedByNameWhenOthersMayWriteIt) {
    const std::string good = "wwid = a\ncommit = /bin/true\nabort = /bin/true\n";
    write(good);
    EXPECT_TRUE(read_exec_config(path_)) << read_exec_config(path_).error().message();
    for (const mode_t mode : {0664, 0646}) {
        write(good, mode);
        const auto config = read_exec_config(path_);
        ASSERT_FALSE(config);
        EXPECT_EQ(config.error().kind, ErrorKind::access_denied);
        EXPECT_THAT(config.error().message(), HasSubstr(path_ + " can be written by others"));
    }
}

TEST_F(ExecConfigFile, IsRefusedWhenItBelongsToSomebodyElse) {
    write("wwid = a\ncommit = /bin/true\nabort = /bin/true\n");
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
    ASSERT_EQ(::chown(path_.c_str(), 65534, 65534), 0);
    EXPECT_THAT(read_exec_config(path_).error().message(), HasSubstr("does not belong to root"));
}

TEST_F(ExecConfigFile, ItsProgramsMustBeThereAndSafe) {
    const auto script = directory_.path("cut");
    write("wwid = a\ncommit = " + script + "\nabort = /bin/true\n");
    EXPECT_THAT(read_exec_config(path_).error().message(), HasSubstr("commit: cannot use " + script));
    std::ofstream(script) << "#!/bin/sh\n";
    ASSERT_EQ(::chmod(script.c_str(), 0644), 0);
    EXPECT_THAT(read_exec_config(path_).error().message(), HasSubstr("is no program"));
    ASSERT_EQ(::chmod(script.c_str(), 0777), 0);
    EXPECT_THAT(read_exec_config(path_).error().message(), HasSubstr(script + " can be written by others"));
    ASSERT_EQ(::chmod(script.c_str(), 0755), 0);
    EXPECT_TRUE(read_exec_config(path_));
    EXPECT_FALSE(read_exec_config(directory_.path("missing")));
    EXPECT_FALSE(read_exec_config(directory_.path()));
}

} // namespace
} // namespace quiesced
