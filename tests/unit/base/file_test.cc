// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace quiesced {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A folder of its own for each test.
class File : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "quiesced-file-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
        auto fd = open_at(AT_FDCWD, folder_, O_RDONLY | O_DIRECTORY);
        ASSERT_TRUE(fd) << fd.error().message();
        fd_ = std::move(*fd);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
    [[nodiscard]] std::vector<std::string> names() const { return list_directory_at(AT_FDCWD, folder_).value(); }
    void put(const std::string& name, const std::string& content) const {
        std::ofstream(path(name), std::ios::binary) << content;
    }

    std::string folder_;
    UniqueFd fd_;
};

TEST_F(File, IsOpenedSoThatNoChildInheritsIt) {
    put("a", "x");
    const auto file = open_at(fd_.get(), "a", O_RDONLY);
    ASSERT_TRUE(file);
    EXPECT_EQ(::fcntl(file->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(File, AnOpenErrorCarriesErrnoAndTheFullPath) {
    const auto file = open_at(fd_.get(), "nothing", O_RDONLY);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().kind, ErrorKind::kernel);
    EXPECT_EQ(file.error().error_number, ENOENT);
    EXPECT_THAT(file.error().message(), HasSubstr(path("nothing") + ": No such file"));
}

TEST_F(File, AReadErrorCarriesErrnoAndTheFullPath) {
    const auto content = read_file(folder_);
    ASSERT_FALSE(content);
    EXPECT_EQ(content.error().error_number, EISDIR);
    EXPECT_THAT(content.error().message(), HasSubstr(folder_));
}

TEST_F(File, IsReadWholeWithItsNulBytes) {
    std::string big(100000, 'q');
    big[50000] = '\0';
    put("a", big);
    EXPECT_EQ(read_file_at(fd_.get(), "a").value(), big);
}

TEST_F(File, OfExactlyTheLimitIsReadAndOneByteMoreIsAnError) {
    put("a", std::string(20000, 'q'));
    EXPECT_EQ(read_file(path("a"), 20000).value().size(), 20000U);
    const auto content = read_file(path("a"), 19999);
    ASSERT_FALSE(content);
    EXPECT_EQ(content.error().kind, ErrorKind::limit);
    EXPECT_THAT(content.error().message(), HasSubstr(path("a")));
}

TEST_F(File, OfProcIsReadAlthoughItsSizeIsZero) {
    const auto content = read_file("/proc/self/mountinfo");
    ASSERT_TRUE(content);
    EXPECT_FALSE(content->empty());
}

TEST_F(File, AnAttributeLosesOnlyItsTrailingWhiteSpace) {
    put("a", "  a b \t\n");
    put("empty", "\n");
    EXPECT_EQ(read_attribute_at(fd_.get(), "a").value(), "  a b");
    EXPECT_EQ(read_attribute_at(fd_.get(), "empty").value(), "");
}

TEST_F(File, WriteReplacesTheContentButNeverMakesAFile) {
    put("a", "a long content");
    ASSERT_TRUE(write_file(path("a"), "1"));
    EXPECT_EQ(read_file(path("a")).value(), "1");
    const auto result = write_file(path("b"), "1");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error_number, ENOENT);
}

TEST_F(File, AWriteThatTheKernelRefusesCarriesErrnoAndPath) {
    const auto result = write_file("/dev/full", "1");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error_number, ENOSPC);
    EXPECT_THAT(result.error().message(), HasSubstr("/dev/full"));
}

TEST_F(File, ReplaceMakesANewFileOfExactlyTheModeAsked) {
    const auto old = ::umask(077);
    ASSERT_TRUE(replace_file_at(fd_.get(), "a", "content", 0644));
    ::umask(old);
    struct stat status {};
    ASSERT_EQ(::stat(path("a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0644U);
    EXPECT_EQ(read_file(path("a")).value(), "content");
    EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(File, ReplaceLeavesTheOldFileToThoseWhoHaveItOpen) {
    put("a", "old");
    std::ifstream reader(path("a"));
    ASSERT_TRUE(replace_file_at(fd_.get(), "a", "new"));
    std::string seen;
    reader >> seen;
    EXPECT_EQ(seen, "old");
    EXPECT_EQ(read_file(path("a")).value(), "new");
}

TEST_F(File, ReplaceThatFailsLeavesTheOldContentAndNoTemporaryFile) {
    std::filesystem::create_directory(path("a"));
    put("a/b", "old");
    const auto result = replace_file_at(fd_.get(), "a", "new"); // a folder cannot be replaced by a file
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error_number, EISDIR);
    EXPECT_THAT(result.error().message(), HasSubstr(path("a")));
    EXPECT_THAT(names(), ElementsAre("a"));
    EXPECT_EQ(read_file(path("a/b")).value(), "old");
}

TEST_F(File, ReplaceReplacesALinkAndNotWhatItLeadsTo) {
    put("target", "old");
    std::filesystem::create_symlink("target", path("link"));
    ASSERT_TRUE(replace_file_at(fd_.get(), "link", "new"));
    EXPECT_EQ(read_file(path("target")).value(), "old");
    EXPECT_FALSE(std::filesystem::is_symlink(path("link")));
}

TEST_F(File, ReplaceWorksBelowAFolderAndByFullPath) {
    ASSERT_TRUE(make_directories(path("x")));
    ASSERT_TRUE(replace_file_at(fd_.get(), "x/a", "1"));
    ASSERT_TRUE(replace_file_at(AT_FDCWD, path("x/b"), "2"));
    EXPECT_THAT(list_directory_at(fd_.get(), "x").value(), ElementsAre("a", "b"));
}

TEST_F(File, ReplaceRefusesANameThatIsAFolderByForm) {
    for (const char* name : {"", "x/", ".", "..", "x/.."})
        EXPECT_EQ(replace_file_at(fd_.get(), name, "1").error().kind, ErrorKind::invalid_argument) << name;
}

TEST_F(File, FoldersAreMadeWithTheirParentsAndMayBeThereAlready) {
    ASSERT_TRUE(make_directories(path("x/y/z")));
    ASSERT_TRUE(make_directories(path("x/y/z/")));
    EXPECT_TRUE(std::filesystem::is_directory(path("x/y/z")));
    EXPECT_TRUE(make_directories("/"));
}

TEST_F(File, AFolderBelowAFileIsAnErrorWithErrnoAndPath) {
    put("a", "");
    const auto result = make_directories(path("a/b"));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error_number, ENOTDIR);
    EXPECT_THAT(result.error().message(), HasSubstr(path("a")));
    EXPECT_FALSE(make_directories(path("a")));
    EXPECT_EQ(make_directories("").error().error_number, ENOENT);
}

TEST_F(File, NamesOfAFolderComeSorted) {
    for (const char* name : {"b", ".hidden", "a"}) put(name, "");
    EXPECT_THAT(names(), ElementsAre(".hidden", "a", "b"));
    EXPECT_EQ(list_directory_at(fd_.get(), "nothing").error().error_number, ENOENT);
    EXPECT_EQ(list_directory_at(fd_.get(), "a").error().error_number, ENOTDIR);
}

} // namespace
} // namespace quiesced
