// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/root_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace quiesced {
namespace {

using testing::HasSubstr;

class RootFile : public testing::Test {
protected:
    void SetUp() override { std::ofstream(path_) << "text\n"; }
    void TearDown() override { ::unlink(path_.c_str()); }
    void mode(mode_t bits) { ::chmod(path_.c_str(), bits); }
    const std::string path_ = testing::TempDir() + "quiesced-root-file-" + std::to_string(::getpid());
};

TEST_F(RootFile, OfOneselfThatNobodyElseWritesIsRead) {
    mode(0644);
    const auto text = read_root_file(path_);
    ASSERT_TRUE(text) << text.error().message();
    EXPECT_EQ(*text, "text\n");
}

TEST_F(RootFile, ThatOthersMayWriteIsRefusedWithWhatToDo) {
    for (const mode_t bits : {0664, 0646}) {
        mode(bits);
        const auto text = read_root_file(path_);
        ASSERT_FALSE(text);
        EXPECT_EQ(text.error().kind, ErrorKind::access_denied);
        EXPECT_THAT(text.error().message(), HasSubstr("chmod go-w " + path_));
    }
}

TEST_F(RootFile, OfAnotherUserIsRefused) {
    struct stat status {};
    status.st_uid = ::geteuid() + 1;
    status.st_mode = S_IFREG | 0600;
    const auto checked = check_root_owned(status, "/etc/x");
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind, ErrorKind::access_denied);
    EXPECT_THAT(checked.error().message(), HasSubstr("chown root:root /etc/x"));
}

TEST_F(RootFile, ThatIsMissingOrNoFileIsAnError) {
    const auto missing = read_root_file(path_ + ".none");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().error_number, ENOENT);
    const auto device = read_root_file("/dev/null");
    ASSERT_FALSE(device);
    EXPECT_THAT(device.error().message(), HasSubstr("is no file"));
}

} // namespace
} // namespace quiesced
