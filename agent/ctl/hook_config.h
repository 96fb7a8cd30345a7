// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "view/json_read.h"

namespace quiesced {

/// /etc/quiesced/hook.conf: what a hypervisor's guest tools freeze when they call us.
struct HookConfig {
    std::chrono::milliseconds deadline{60000}; ///< from the first freeze to the thaw at the latest; 1 s to 10 min
    std::vector<std::string> volumes;          ///< names; empty: all that lie on disks
    std::vector<std::string> leave_out;        ///< names of volumes
    std::vector<std::string> in_guest;         ///< volumes on virtual disks whose snapshot is taken here (LVM), not by the host
    bool may_fail = false;                     ///< on_failure=continue: the tool goes on without us
};

/// Errors: invalid_argument, naming the line.
Result<HookConfig> parse_hook_config(const std::string& text);

/// A file that is not there has the defaults. Errors also: io; access_denied where others than root can write to it.
Result<HookConfig> read_hook_config(const std::string& path);

/// What is frozen, and by whom its snapshot is taken.
struct HookVolumes {
    std::vector<std::string> names;
    std::map<std::string, std::string> providers; ///< "host" for what lies on virtual disks alone
};

/// Chooses from the answer of ListVolumes: what is mounted, of a type that can be frozen, and lies on virtual disks or LUNs.
HookVolumes choose_hook_volumes(const HookConfig& config, const Json& volumes);

} // namespace quiesced
