// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "ctl/hook_config.h"
#include "ctl/hook_tools.h"

namespace quiesced {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Json volume(const std::string& name, const std::string& placement, const std::string& type = "ext4", const std::string& process = "") {
    return {{"name", name}, {"placement", placement}, {"file_system", type}, {"mount_points", {name}}, {"process", process}};
}

TEST(HookVolumes, AllThatIsMountedFromDisksIsFrozenAndVirtualDisksAreLeftToTheHost) {
    auto unmounted = volume("/dev/vdz", "virtual");
    unmounted["mount_points"] = Json::array();
    const Json volumes{volume("/", "virtual"), volume("/srv/lun", "lun", "xfs"), volume("/boot/efi", "virtual", "vfat"), volume("/tmp", "none", "tmpfs"),
                       volume("/mnt", "network", "nfs4"), volume("/srv/mixed", "mixed"), volume("/data", "virtual", "ext4", "nginx (812)"), unmounted};
    const auto chosen = choose_hook_volumes({}, volumes);
    EXPECT_THAT(chosen.names, ElementsAre("/", "/srv/lun"));
    const std::map<std::string, std::string> expected{{"/", "host"}};
    EXPECT_EQ(chosen.providers, expected);
}

TEST(HookVolumes, TheConfigurationChooses) {
    HookConfig config;
    config.leave_out = {"/srv/scratch"};
    config.in_guest = {"/srv/data"};
    const Json volumes{volume("/", "virtual"), volume("/srv/data", "virtual"), volume("/srv/scratch", "virtual")};
    auto chosen = choose_hook_volumes(config, volumes);
    EXPECT_THAT(chosen.names, ElementsAre("/", "/srv/data"));
    EXPECT_FALSE(chosen.providers.contains("/srv/data"));
    config.volumes = {"/srv/data"};
    chosen = choose_hook_volumes(config, volumes);
    EXPECT_THAT(chosen.names, ElementsAre("/srv/data"));
}

TEST(HookConfigText, KeysAndMistakes) {
    const auto config = parse_hook_config("[hook]\ndeadline = 90s\nvolumes = /\nvolumes = /srv/data\nin_guest = /srv/data\non_failure = continue\n");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->deadline, std::chrono::seconds(90));
    EXPECT_THAT(config->volumes, ElementsAre("/", "/srv/data"));
    EXPECT_TRUE(config->may_fail);
    for (const char* text : {"deadline = 5s\n", "[hook]\ndeadline = 601s\n", "[hook]\ndeadline = 0\n", "[hook]\ncolour = red\n", "[hook]\nnonsense\n",
                             "[hook]\non_failure = ignore\n", "[hook]\ndeadline = 5s\ndeadline = 6s\n", "[hook]\nvolumes = data\n"})
        EXPECT_FALSE(parse_hook_config(text)) << text;
    EXPECT_THAT(parse_hook_config("[hook]\nvolumes = /" + std::string(300, 'x') + "\n").error().message(), HasSubstr("longer than 198"));
}

/// A folder of files to install, and an empty system.
class HookTools : public testing::Test {
protected:
    HookTools() {
        auto pattern = (std::filesystem::temp_directory_path() / "quiesced-hooks-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        root_ = pattern;
        source_ = root_ + "/source";
        for (const auto& tool : hook_tools())
            for (const auto& file : tool.files) {
                const auto path = std::filesystem::path(source_) / file.source;
                std::filesystem::create_directories(path.parent_path());
                std::ofstream(path) << "#!/bin/sh\n# Put here by \"quiescectl hook install " << tool.name << "\"\n";
            }
        system_ = root_ + "/system";
        std::filesystem::create_directory(system_);
    }
    ~HookTools() override { std::filesystem::remove_all(root_); }

    std::string root_;
    std::string source_;
    std::string system_;
};

TEST_F(HookTools, AnInstallationCanBeRepeatedAndRemoved) {
    for (const auto& tool : hook_tools()) {
        const auto done = install_hook(tool, source_, system_);
        ASSERT_TRUE(done) << done.error().message();
        for (const auto& file : tool.files) {
            struct stat status {};
            ASSERT_EQ(::stat((system_ + file.destination).c_str(), &status), 0) << file.destination;
            EXPECT_EQ(status.st_mode & 07777U, file.mode);
        }
        EXPECT_THAT(hook_status(tool, system_), AllOf(HasSubstr(": installed"), Not(HasSubstr("not ours"))));
        EXPECT_THAT(install_hook(tool, source_, system_).value(), ElementsAre("It is installed already."));
        ASSERT_TRUE(remove_hook(tool, source_, system_));
        for (const auto& file : tool.files) EXPECT_FALSE(std::filesystem::exists(system_ + file.destination));
        EXPECT_THAT(remove_hook(tool, source_, system_).value(), ElementsAre("It is not installed."));
    }
}

TEST_F(HookTools, AnAdminsFileIsNeverTouchedAndNothingElseIsWritten) {
    const auto* tool = find_hook_tool("google");
    ASSERT_NE(tool, nullptr);
    const auto& last = tool->files.back();
    std::filesystem::create_directories(std::filesystem::path(system_ + last.destination).parent_path());
    std::ofstream(system_ + last.destination) << "#!/bin/sh\nmine\n";
    const auto done = install_hook(*tool, source_, system_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::busy);
    EXPECT_THAT(done.error().message(), HasSubstr(last.destination));
    EXPECT_FALSE(std::filesystem::exists(system_ + tool->files.front().destination));
    EXPECT_THAT(remove_hook(*tool, source_, system_).value(), Contains(HasSubstr("it is not ours")));
    EXPECT_EQ(read_file(system_ + last.destination).value(), "#!/bin/sh\nmine\n");
}

TEST_F(HookTools, ALinkIsAnAdminsFileWhateverItLeadsTo) {
    const auto* tool = find_hook_tool("nutanix");
    const auto& file = tool->files.front();
    std::filesystem::create_directories(std::filesystem::path(system_ + file.destination).parent_path());
    std::filesystem::create_symlink(source_ + "/" + file.source, system_ + file.destination);
    EXPECT_FALSE(install_hook(*tool, source_, system_));
}

TEST_F(HookTools, AnOlderOneOfOursIsReplaced) {
    const auto* tool = find_hook_tool("qemu-ga");
    const auto& file = tool->files.front();
    std::filesystem::create_directories(std::filesystem::path(system_ + file.destination).parent_path());
    std::ofstream(system_ + file.destination) << "# quiescectl hook install, of an older release\n";
    ASSERT_TRUE(install_hook(*tool, source_, system_));
    EXPECT_EQ(read_file(system_ + file.destination).value(), read_file(source_ + "/" + file.source).value());
}

TEST_F(HookTools, TheStatusOfOpenVmToolsSaysWhatItsConfigurationLacks) {
    const auto* tool = find_hook_tool("open-vm-tools");
    ASSERT_TRUE(install_hook(*tool, source_, system_));
    EXPECT_THAT(hook_status(*tool, system_), HasSubstr("ignoreFrozenFileSystems=true"));
    std::ofstream(system_ + "/etc/vmware-tools/tools.conf") << "[vmbackup]\n#ignoreFrozenFileSystems=true\n";
    EXPECT_THAT(hook_status(*tool, system_), HasSubstr("ignoreFrozenFileSystems=true")) << "a comment sets nothing";
    std::ofstream(system_ + "/etc/vmware-tools/tools.conf") << "[vmbackup]\nignoreFrozenFileSystems=true\n";
    EXPECT_THAT(hook_status(*tool, system_), Not(HasSubstr("ignoreFrozenFileSystems=true")));
}

} // namespace
} // namespace quiesced
