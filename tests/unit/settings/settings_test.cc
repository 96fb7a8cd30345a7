// SPDX-License-Identifier: LGPL-2.1-or-later
#include "settings/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> problems(const std::string& text) {
    Settings settings;
    return apply_settings(text, settings);
}

TEST(Settings, EveryKeyTakesItsValue) {
    Settings read;
    EXPECT_THAT(apply_settings(R"(# a comment
[daemon]
log_level = debug
state_directory=/srv/state
plugin_directory = /srv/plugins
hooks_directory = /srv/hooks
writers_directory = /srv/writers

; another one
[sets]
most_unfinished = 8
most_of_a_caller = 2
deadline = 1.5s
member_limit = 250ms
prepare_limit = 2h
keep_failed = 5min
[window]
flush_bound = 45
relinquish_journal = no
[space]
chunk_size = 64K
extend_at = 75
extend_by = 30
[writers]
script_limit = 2min
[dm]
store_group = backup-1
)", read), IsEmpty());
    const Settings expected{.log_level = "debug", .state_directory = "/srv/state", .plugin_directory = "/srv/plugins", .hooks_directory = "/srv/hooks", .writers_directory = "/srv/writers",
                            .most_unfinished = 8, .most_of_a_caller = 2, .deadline = milliseconds(1500), .member_limit = milliseconds(250),
                            .prepare_limit = std::chrono::hours(2), .keep_failed = std::chrono::minutes(5), .flush_bound = std::chrono::seconds(45),
                            .relinquish_journal = false, .chunk_size = 65536, .extend_at = 75, .extend_by = 30, .script_limit = std::chrono::minutes(2), .store_group = "backup-1"};
    EXPECT_EQ(read, expected);
}

TEST(Settings, EveryWrongLineIsToldWithItsNumber) {
    EXPECT_THAT(problems("log_level = info\n[daemon]\nlog_levle = info\nlog_level = loud\n[sest]\n[sest]\nx = 1\n[sets]\ndeadline\n"),
                ElementsAre("1: 'log_level' stands before the first [section]", "3: there is no key 'log_levle' in [daemon]",
                            "4: log_level must be one of debug, info, warning, error, not 'loud'", "7: there is no section [sest]",
                            "9: this is no 'key = value', no [section] and no comment"));
}

TEST(Settings, AKeyOfAnotherSectionIsUnknown) {
    EXPECT_THAT(problems("[window]\ndeadline = 5s\n"), ElementsAre("2: there is no key 'deadline' in [window]"));
}

TEST(Settings, ValuesOutOfRangeAreRefusedAndTheOldOneStays) {
    for (const auto* value : {"99ms", "601s", "-1s", "1e3", "ten", "", "5 parsecs", "nan", "inf", "99999999999999999999h"}) {
        Settings settings;
        EXPECT_THAT(apply_settings(std::string("[sets]\ndeadline = ") + value + "\n", settings),
                    ElementsAre(HasSubstr("2: deadline must be a time from 100ms to 10min, not '"))) << value;
        EXPECT_EQ(settings, Settings{}) << value;
    }
    EXPECT_THAT(problems("[sets]\nmember_limit = 0\nprepare_limit = 0\n"), IsEmpty());
    EXPECT_THAT(problems("[sets]\nmember_limit = 9ms\n"), ElementsAre(HasSubstr("10ms to 10min, or 0 for none")));
    for (const auto* value : {"0", "65", "1.5", "+4", "4 "}) {
        const auto told = problems(std::string("[sets]\nmost_unfinished = ") + value + "\n");
        if (value == std::string("4 ")) EXPECT_THAT(told, IsEmpty()) << "blanks at the end are no part of the value";
        else EXPECT_THAT(told, ElementsAre(HasSubstr("must be a number from 1 to 64"))) << value;
    }
    EXPECT_THAT(problems("[space]\nextend_at = 0\n"), IsEmpty()) << "off";
    for (const auto* value : {"49", "96"})
        EXPECT_THAT(problems(std::string("[space]\nextend_at = ") + value + "\n"), ElementsAre(HasSubstr("from 50 to 95, or 0 for off")));
    for (const auto* value : {"2K", "1024K", "12K", "65536", "64k", "64M", "K", ""})
        EXPECT_THAT(problems(std::string("[space]\nchunk_size = ") + value + "\n"), ElementsAre(HasSubstr("must be a power of two from 4K to 512K"))) << value;
    EXPECT_THAT(problems("[window]\nrelinquish_journal = maybe\n"), ElementsAre(HasSubstr("must be yes or no")));
    EXPECT_THAT(problems("[daemon]\nhooks_directory = hooks\n"), ElementsAre(HasSubstr("must be an absolute path")));
}

TEST(Settings, AKeyTwiceInAFileIsRefused) {
    EXPECT_THAT(problems("[sets]\ndeadline = 5s\n[sets]\ndeadline = 6s\n"), ElementsAre(HasSubstr("4: deadline is given twice")));
}

TEST(Settings, BlanksBeforeASectionOrAKeyDoNotCount) {
    Settings read;
    EXPECT_THAT(apply_settings("  [sets]\n\tdeadline = 5s\n    keep_failed = 6s\n", read), IsEmpty());
    EXPECT_EQ(read.deadline, std::chrono::seconds(5));
    EXPECT_EQ(read.keep_failed, std::chrono::seconds(6));
}

TEST(Settings, TheVendorsFileNamesEveryKeyWithItsDefault) {
    std::string text;
    std::ifstream file(QUIESCED_SOURCE_ROOT "/config/quiesced.conf");
    std::size_t keys = 0;
    for (std::string line; std::getline(file, line);) {
        const bool key = line.starts_with("#") && line.find(" = ") != std::string::npos;
        keys += key ? 1 : 0;
        text += (key ? line.substr(1) : line) + "\n";
    }
    Settings read{.deadline = milliseconds(1)};
    EXPECT_THAT(apply_settings(text, read), IsEmpty());
    EXPECT_EQ(read, Settings{});
    EXPECT_EQ(keys, setting_names().size());
}

TEST(Settings, ALineThatIsTooLongOrHasAZeroByteIsRefused) {
    EXPECT_THAT(problems("[daemon]\nhooks_directory = /" + std::string(300, 'x') + "\n"), ElementsAre(HasSubstr("2: this line is longer")));
    EXPECT_THAT(problems(std::string("[sets]\ndeadline = 5s\0\n", 21)), ElementsAre(HasSubstr("2: there is a zero byte")));
}

class SettingsFiles : public testing::Test {
protected:
    SettingsFiles() {
        std::string pattern = testing::TempDir() + "quiesced-settings-XXXXXX";
        root_ = ::mkdtemp(pattern.data());
        where_.folders = {root_ + "/etc", root_ + "/run", root_ + "/lib"};
    }
    ~SettingsFiles() override { std::filesystem::remove_all(root_); }
    void write(const std::string& name, const std::string& text) {
        const std::filesystem::path path = root_ + "/" + name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
        ::chmod(path.c_str(), 0644);
    }
    std::string root_;
    SettingsFolders where_;
};

TEST_F(SettingsFiles, WithoutFilesTheDefaultsCount) {
    const auto loaded = load_settings(where_);
    EXPECT_EQ(loaded.settings, Settings{});
    EXPECT_THAT(loaded.files, IsEmpty());
    EXPECT_TRUE(loaded.check());
}

TEST_F(SettingsFiles, TheAdminsFileTakesThePlaceOfTheVendorsAndDropInsComeOnTopByName) {
    write("lib/quiesced.conf", "[sets]\ndeadline = 1s\nmost_unfinished = 3\n");
    write("etc/quiesced.conf", "[sets]\ndeadline = 2s\n");
    write("lib/quiesced.conf.d/50-a.conf", "[sets]\ndeadline = 3s\nkeep_failed = 7s\n");
    write("etc/quiesced.conf.d/40-b.conf", "[sets]\ndeadline = 4s\n[window]\nflush_bound = 5s\n");
    write("run/quiesced.conf.d/60-c.conf", "[sets]\nkeep_failed = 8s\n");
    write("etc/quiesced.conf.d/notes.txt", "no configuration");
    const auto loaded = load_settings(where_);
    EXPECT_THAT(loaded.problems, IsEmpty());
    EXPECT_THAT(loaded.files, ElementsAre(root_ + "/etc/quiesced.conf", root_ + "/etc/quiesced.conf.d/40-b.conf", root_ + "/lib/quiesced.conf.d/50-a.conf",
                                          root_ + "/run/quiesced.conf.d/60-c.conf"));
    EXPECT_EQ(loaded.settings.deadline, std::chrono::seconds(3));
    EXPECT_EQ(loaded.settings.keep_failed, std::chrono::seconds(8));
    EXPECT_EQ(loaded.settings.flush_bound, std::chrono::seconds(5));
    EXPECT_EQ(loaded.settings.most_unfinished, 16U) << "of the vendor's file, which is not read";
}

TEST_F(SettingsFiles, OneOfTheSameNameOrALinkToNullHidesTheVendors) {
    write("lib/quiesced.conf.d/50-a.conf", "[sets]\ndeadline = 3s\n");
    write("lib/quiesced.conf.d/60-b.conf", "[sets]\nkeep_failed = 9s\n");
    write("etc/quiesced.conf.d/50-a.conf", "[sets]\ndeadline = 4s\n");
    std::filesystem::create_symlink("/dev/null", root_ + "/etc/quiesced.conf.d/60-b.conf");
    const auto loaded = load_settings(where_);
    EXPECT_THAT(loaded.problems, IsEmpty());
    EXPECT_EQ(loaded.settings.deadline, std::chrono::seconds(4));
    EXPECT_EQ(loaded.settings.keep_failed, Settings{}.keep_failed);
}

TEST_F(SettingsFiles, AProblemNamesTheFileAndTheLine) {
    write("etc/quiesced.conf", "[sets]\n\ndeadline = long\n");
    write("run/quiesced.conf.d/1.conf", "[x]\ny = 1\n");
    const auto loaded = load_settings(where_);
    EXPECT_THAT(loaded.problems, ElementsAre(HasSubstr("/etc/quiesced.conf:3: deadline must be"), HasSubstr("/run/quiesced.conf.d/1.conf:2: there is no section [x]")));
    EXPECT_THAT(loaded.check().error().message(), HasSubstr("quiesced.conf(5)"));
}

TEST_F(SettingsFiles, AFileThatOthersMayWriteIsNotTrusted) {
    write("etc/quiesced.conf", "[daemon]\nhooks_directory = /tmp/mine\n");
    ::chmod((root_ + "/etc/quiesced.conf").c_str(), 0666);
    const auto loaded = load_settings(where_);
    EXPECT_THAT(loaded.problems, ElementsAre(HasSubstr("chmod go-w")));
    EXPECT_EQ(loaded.settings, Settings{});
    std::filesystem::remove(root_ + "/etc/quiesced.conf");
    std::filesystem::create_directory(root_ + "/etc/quiesced.conf");
    EXPECT_THAT(load_settings(where_).problems, ElementsAre(HasSubstr("it is no file")));
}

} // namespace
} // namespace quiesced
