// SPDX-License-Identifier: LGPL-2.1-or-later
// The small file system that qemu-ga freezes, on a loop device of this machine.
#include "ctl/hook_marker.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/unique_fd.h"

namespace quiesced {
namespace {

class Marker : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "missing: root";
        ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    }
    ~Marker() override {
        HookMarker(folder_).lower();
        std::filesystem::remove_all(folder_);
    }
    /// As qemu-ga freezes: by the mount point. 0, or the errno.
    [[nodiscard]] int tell(unsigned long request) const {
        const UniqueFd top(::open((folder_ + "/hook-marker").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        return ::ioctl(top.get(), request, 0) == 0 ? 0 : errno;
    }
    [[nodiscard]] std::string mount_line() const {
        std::ifstream file("/proc/self/mountinfo");
        for (std::string line; std::getline(file, line);)
            if (line.find(folder_) != std::string::npos) return line;
        return {};
    }
    /// Loop devices on a file of ours.
    [[nodiscard]] int loops() const {
        int found = 0;
        for (const auto& entry : std::filesystem::directory_iterator("/sys/block")) {
            std::string backing;
            std::getline(std::ifstream(entry.path() / "loop/backing_file"), backing);
            if (backing.find(folder_) != std::string::npos) ++found;
        }
        return found;
    }
    std::string folder_ = (std::filesystem::temp_directory_path() / "quiesced-marker-XXXXXX").string();
};

TEST_F(Marker, IsAMountOfADeviceThatCanBeFrozenAndIsGoneAfterwards) {
    const HookMarker marker(folder_);
    const auto raised = marker.raise();
    ASSERT_TRUE(raised) << raised.error().message();
    // qemu-ga's rule for what it freezes: a source that begins with a slash.
    EXPECT_THAT(mount_line(), testing::HasSubstr(" - ext4 /dev/loop"));
    EXPECT_EQ(tell(FIFREEZE), 0);
    EXPECT_EQ(tell(FIFREEZE), EBUSY);
    EXPECT_EQ(tell(FITHAW), 0);
    marker.lower();
    EXPECT_EQ(mount_line(), "");
    EXPECT_EQ(loops(), 0);
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(Marker, OneThatWasLeftFrozenIsThawedAndReplaced) {
    ASSERT_TRUE(HookMarker(folder_).raise());
    ASSERT_EQ(tell(FIFREEZE), 0);
    const auto again = HookMarker(folder_).raise();
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(loops(), 1);
    EXPECT_EQ(tell(FIFREEZE), 0) << "it is another";
    HookMarker(folder_).lower();
    HookMarker(folder_).lower();
    EXPECT_EQ(mount_line(), "");
    EXPECT_EQ(loops(), 0) << "a frozen file system outlives its mount";
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(Marker, AFolderThatIsNotThereIsSaidAndLeavesNothing) {
    EXPECT_FALSE(HookMarker(folder_ + "/nowhere").raise());
}

} // namespace
} // namespace quiesced
