// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/hook_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "hooks_fixture.h"

namespace quiesced {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HookDirectoryTest : public HooksFixture {
protected:
    [[nodiscard]] std::vector<std::string> names() const {
        const auto found = read_hook_directory(hooks_);
        if (!found) return {"error: " + found.error().message()};
        std::vector<std::string> result;
        for (const auto& hook : found->hooks) result.push_back(hook.name);
        return result;
    }
    [[nodiscard]] Error refusal() const {
        auto found = read_hook_directory(hooks_);
        EXPECT_FALSE(found) << "not refused";
        return found ? Error{} : found.error();
    }
};

TEST_F(HookDirectoryTest, LeftoversAndSamplesAreNoHooks) {
    for (const char* name :
         {"a~", "a.bak", "a.orig", "a.rej", "a.rpmsave", "a.rpmnew", "a.rpmorig", "a.dpkg-old", "a.dpkg-new",
          "a.dpkg-dist", "a.dpkg-tmp", ".hidden", ".a.swp", "a.swp", "a.sample", "README", "README.md", "#a#"}) {
        EXPECT_TRUE(is_ignored_hook(name)) << name;
        script(name, "exit 1");
    }
    for (const char* name : {"a", "10-mysql", "a.sh", "backup", "bak", "a.bak.sh", "readme", "my-README"})
        EXPECT_FALSE(is_ignored_hook(name)) << name;
    script("10-mysql.sh", "");
    EXPECT_THAT(names(), ElementsAre("10-mysql.sh"));
}

TEST_F(HookDirectoryTest, HooksComeInByteOrderOfTheirNames) {
    for (const char* name : {"b", "20-a", "a", "100-a", "B", "10-a"}) script(name, "");
    EXPECT_THAT(names(), ElementsAre("10-a", "100-a", "20-a", "B", "a", "b"));
}

TEST_F(HookDirectoryTest, WhatCannotRunIsLeftOutWithANote) {
    script("10-off", "", 0644);
    script("20-on", "", 0700);
    std::filesystem::create_directory(hooks_ + "/30-folder");
    std::filesystem::create_symlink("/dev/null", hooks_ + "/40-masked");
    const auto found = read_hook_directory(hooks_);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_THAT(names(), ElementsAre("20-on"));
    EXPECT_THAT(found->notes, ElementsAre(hooks_ + "/10-off is not executable: ignored",
                                          hooks_ + "/30-folder is not a regular file: ignored",
                                          hooks_ + "/40-masked is not a regular file: ignored"));
}

TEST_F(HookDirectoryTest, AMissingDirectoryIsAnEmptyOne) {
    for (const char* path : {"/nothing", "/nothing/below"}) {
        const auto found = read_hook_directory(root_ + path);
        ASSERT_TRUE(found) << found.error().message();
        EXPECT_THAT(found->hooks, IsEmpty());
    }
}

TEST_F(HookDirectoryTest, ALinkToAMissingDirectoryIsAnError) {
    std::filesystem::create_directory_symlink(root_ + "/nothing", root_ + "/link");
    EXPECT_FALSE(read_hook_directory(root_ + "/link"));
}

TEST_F(HookDirectoryTest, AFileOrARelativePathIsNoHooksDirectory) {
    const auto file = read_hook_directory(script("a", ""));
    ASSERT_FALSE(file);
    EXPECT_THAT(file.error().message(), HasSubstr("Not a directory"));
    const auto relative = read_hook_directory("etc/hooks.d");
    ASSERT_FALSE(relative);
    EXPECT_EQ(relative.error().kind, ErrorKind::invalid_argument);
}

TEST_F(HookDirectoryTest, WritableFilesAreRefusedAllByName) {
    script("10-good", "");
    const auto group = script("20-group", "", 0775);
    const auto others = script("30-others", "", 0757);
    const auto error = refusal();
    EXPECT_EQ(error.kind, ErrorKind::access_denied);
    EXPECT_THAT(error.message(), HasSubstr(group + " is writable by its group"));
    EXPECT_THAT(error.message(), HasSubstr(others + " is writable by others"));
    EXPECT_THAT(error.message(), Not(HasSubstr("10-good")));
}

TEST_F(HookDirectoryTest, AWritableFileThatIsNotExecutableHarmsNobody) {
    script("10-off", "", 0666);
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(HookDirectoryTest, SomebodyElsesFileIsRefusedByName) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    const auto path = script("10-foreign", "");
    ASSERT_EQ(::chown(path.c_str(), 12345, 0), 0);
    EXPECT_THAT(refusal().message(), HasSubstr(path + " belongs to user 12345"));
}

TEST_F(HookDirectoryTest, AWritableDirectoryIsRefusedEvenWhenSticky) {
    script("10-good", "");
    for (const mode_t mode : {mode_t{0775}, mode_t{0757}, mode_t{01777}}) {
        ::chmod(hooks_.c_str(), mode);
        EXPECT_THAT(refusal().message(), HasSubstr(hooks_ + " is writable by ")) << std::oct << mode;
    }
}

TEST_F(HookDirectoryTest, AWritableFolderAboveIsRefusedUnlessSticky) {
    script("10-good", "");
    ::chmod(root_.c_str(), 0777);
    EXPECT_THAT(refusal().message(), HasSubstr(root_ + " is writable by others"));
    ::chmod(root_.c_str(), 01777);
    EXPECT_THAT(names(), ElementsAre("10-good"));
}

TEST_F(HookDirectoryTest, ALinkIsAsGoodAsWhatItLeadsTo) {
    const auto shared = root_ + "/shared";
    std::filesystem::create_directory(shared);
    ::chmod(shared.c_str(), 0755);
    const auto target = script(shared + "/tool", "");
    std::filesystem::create_symlink(target, hooks_ + "/10-link");
    EXPECT_THAT(names(), ElementsAre("10-link"));
    EXPECT_EQ(trusted_path(hooks_ + "/10-link").value(), target);

    ::chmod(target.c_str(), 0775);
    EXPECT_THAT(refusal().message(), HasSubstr(target + " is writable by its group"));
    ::chmod(target.c_str(), 0755);
    ::chmod(shared.c_str(), 0777);
    EXPECT_THAT(refusal().message(), HasSubstr(shared + " is writable by others"));
}

TEST_F(HookDirectoryTest, ALinkThatLeadsNowhereIsRefusedByName) {
    std::filesystem::create_symlink(root_ + "/gone", hooks_ + "/10-link");
    EXPECT_THAT(refusal().message(), HasSubstr("10-link leads nowhere: No such file")) << refusal().message();
}

} // namespace
} // namespace quiesced
