// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/hook_tools.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "base/file.h"

namespace quiesced {
namespace {

constexpr std::string_view kMark = "quiescectl hook install"; ///< each of our files says so

const auto& tools() {
    static const std::array<HookTool, 5> all{
        HookTool{"qemu-ga", "/usr/sbin/qemu-ga",
                 {{"qemu-ga/50-quiesced.conf", "/etc/systemd/system/qemu-guest-agent.service.d/50-quiesced.conf", 0644}},
                 "Run: systemctl daemon-reload; systemctl restart qemu-guest-agent"},
        HookTool{"open-vm-tools", "/usr/bin/vmtoolsd",
                 {{"open-vm-tools/90-quiesced", "/etc/vmware-tools/backupScripts.d/90-quiesced", 0755}},
                 "Set ignoreFrozenFileSystems=true in the section [vmbackup] of /etc/vmware-tools/tools.conf: it would take our freeze for an error."},
        HookTool{"azure", "/usr/sbin/waagent",
                 {{"azure/VMSnapshotScriptPluginConfig.json", "/etc/azure/VMSnapshotScriptPluginConfig.json", 0600},
                  {"azure/quiesced-pre.sh", "/etc/azure/quiesced-pre.sh", 0700},
                  {"azure/quiesced-post.sh", "/etc/azure/quiesced-post.sh", 0700}},
                 "Nothing more is needed: the extension reads the file at the next backup."},
        HookTool{"google", "/usr/bin/google_guest_agent",
                 {{"google/pre.sh", "/etc/google/snapshots/pre.sh", 0755}, {"google/post.sh", "/etc/google/snapshots/post.sh", 0755}},
                 "Take the snapshot with --guest-flush, and set [Snapshots] enabled = true in /etc/default/instance_configs.cfg."},
        HookTool{"nutanix", "/usr/local/nutanix/ngt/bin/ngt_guest_agent",
                 {{"nutanix/pre_freeze", "/usr/local/sbin/pre_freeze", 0700}, {"nutanix/post_thaw", "/usr/local/sbin/post_thaw", 0700}},
                 "Choose application-consistent recovery points for this machine."},
    };
    return all;
}

enum class Found { none, ours, foreign };

Found look(const std::string& path, std::string* content = nullptr) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT || errno == ENOTDIR ? Found::none : Found::foreign;
    const auto text = S_ISREG(status.st_mode) ? read_file(path, 1U << 20U) : Result<std::string>(std::string());
    if (!text || !is_our_hook(*text)) return Found::foreign;
    if (content != nullptr) *content = *text;
    return Found::ours;
}

Result<void> put(const std::string& path, const std::string& content, mode_t mode) {
    const auto folder = std::filesystem::path(path).parent_path().string();
    if (auto made = make_directories(folder, 0755); !made) return made;
    const auto directory = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
    if (!directory) return tl::unexpected<Error>(directory.error());
    return replace_file_at(directory->get(), std::filesystem::path(path).filename().string(), content, mode);
}

/// Of tools.conf: what vmbackup does with a file system that is frozen already.
bool ignores_frozen(const std::string& root) {
    const auto text = read_file(root + "/etc/vmware-tools/tools.conf", 1U << 20U).value_or("");
    for (std::size_t at = text.find("ignoreFrozenFileSystems"); at != std::string::npos; at = text.find("ignoreFrozenFileSystems", at + 1)) {
        const auto line_start = text.rfind('\n', at) == std::string::npos ? 0 : text.rfind('\n', at) + 1;
        const auto line = text.substr(line_start, text.find('\n', at) - line_start);
        if (line.find_first_not_of(" \t") == line.find('i') && line.find("true") != std::string::npos) return true;
    }
    return false;
}

} // namespace

std::span<const HookTool> hook_tools() { return tools(); }

const HookTool* find_hook_tool(std::string_view name) {
    const auto found = std::find_if(tools().begin(), tools().end(), [&](const HookTool& tool) { return tool.name == name; });
    return found == tools().end() ? nullptr : &*found;
}

bool is_our_hook(std::string_view content) { return content.find(kMark) != std::string_view::npos; }

Result<std::vector<std::string>> install_hook(const HookTool& tool, const std::string& source, const std::string& root) {
    std::vector<std::string> contents;
    for (const auto& file : tool.files) {
        auto content = read_file(source + "/" + file.source, 1U << 20U);
        if (!content) return pass(content);
        contents.push_back(std::move(*content));
        if (look(root + file.destination) == Found::foreign)
            return fail(ErrorKind::busy, std::string(file.destination) + " is there already, and not ours. Nothing was changed",
                        "Move it away, or call from it what ours would: see the README of " + std::string(tool.name) + " in " + source + ".");
    }
    std::vector<std::string> done;
    for (std::size_t i = 0; i < contents.size(); ++i) {
        const auto& file = tool.files[i];
        const auto path = root + file.destination;
        std::string old;
        struct stat status {};
        if (look(path, &old) == Found::ours && old == contents[i] && ::stat(path.c_str(), &status) == 0 && (status.st_mode & 07777U) == file.mode) continue;
        if (auto written = put(path, contents[i], file.mode); !written) return pass(written);
        done.push_back("Installed " + path + ".");
    }
    if (done.empty()) return std::vector<std::string>{"It is installed already."};
    if (::access((root + tool.program).c_str(), F_OK) != 0) done.push_back("The tool itself is not there: " + std::string(tool.program) + ".");
    done.emplace_back(tool.next);
    return done;
}

Result<std::vector<std::string>> remove_hook(const HookTool& tool, const std::string& /*source*/, const std::string& root) {
    std::vector<std::string> done;
    for (const auto& file : tool.files) {
        const auto path = root + file.destination;
        const auto found = look(path);
        if (found == Found::foreign) done.push_back("Left " + path + " alone: it is not ours.");
        if (found != Found::ours) continue;
        if (::unlink(path.c_str()) != 0) return fail_errno("cannot remove " + path);
        done.push_back("Removed " + path + ".");
    }
    if (done.empty()) done.emplace_back("It is not installed.");
    return done;
}

HookStatus hook_status_of(const HookTool& tool, const std::string& root) {
    HookStatus status;
    status.installed = true;
    for (const auto& file : tool.files) {
        const auto found = look(root + file.destination);
        status.installed = status.installed && found == Found::ours;
        status.files.push_back({file.destination, found == Found::ours ? "ours" : found == Found::none ? "missing" : "foreign"});
    }
    status.present = ::access((root + tool.program).c_str(), F_OK) == 0;
    if (tool.name == "open-vm-tools" && status.installed && !ignores_frozen(root)) status.advice = tool.next;
    return status;
}

std::string hook_status(const HookTool& tool, const std::string& root) {
    const auto status = hook_status_of(tool, root);
    std::string text;
    for (const auto& file : status.files) text += "  " + file.path + (file.state == "ours" ? "" : file.state == "missing" ? " (not there)" : " (not ours)") + "\n";
    if (!status.advice.empty()) text += "  " + status.advice + "\n";
    auto head = std::string(tool.name) + ": " + (status.installed ? "installed" : "not installed") + (status.present ? "" : "; the tool is not here") + "\n";
    return head + (status.installed || status.present ? text : "");
}

} // namespace quiesced
