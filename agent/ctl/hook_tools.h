// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// A file that makes a hypervisor's guest tools call us.
struct HookFile {
    const char* source;      ///< below the folder of the hooks: "open-vm-tools/90-quiesced"
    const char* destination; ///< full path
    mode_t mode;
};

/// A hypervisor's guest tools.
struct HookTool {
    std::string_view name;
    const char* program; ///< is there where the tool is installed
    std::vector<HookFile> files;
    const char* next; ///< what an admin has to do after the installation, a sentence
};

std::span<const HookTool> hook_tools();
const HookTool* find_hook_tool(std::string_view name); ///< nullptr for none

/// Whether a file was written by install_hook(): only such a file is ever replaced or removed.
bool is_our_hook(std::string_view content);

/// Puts the tool's files, from the folder `source`, where it looks for them below `root` ("" for the system). Files that are there
/// already as they should be are left alone; older ones of ours are replaced. Returns what was done, a sentence each.
/// Errors: busy (a file there is not ours: nothing at all was written), io, kernel.
Result<std::vector<std::string>> install_hook(const HookTool& tool, const std::string& source, const std::string& root);

/// Removes the tool's files that are ours; an admin's are left alone. Returns what was done. Errors: kernel.
Result<std::vector<std::string>> remove_hook(const HookTool& tool, const std::string& source, const std::string& root);

/// How far a tool calls us.
struct HookStatus {
    struct File {
        std::string path;
        std::string state; ///< "ours", "foreign", "missing"
    };
    bool present = false;   ///< the tool is here
    bool installed = false; ///< all of its files are ours
    std::vector<File> files;
    std::string advice; ///< what is to be mended, a sentence; empty: nothing
};
HookStatus hook_status_of(const HookTool& tool, const std::string& root);

/// One line for each file, and what is to be mended: for people.
std::string hook_status(const HookTool& tool, const std::string& root);

} // namespace quiesced
