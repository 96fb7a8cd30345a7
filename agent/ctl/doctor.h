// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/hook_tools.h"
#include "ctl/screen.h"
#include "view/json_read.h"

namespace quiesced {

/// What a check has come to. Only `bad` has to be mended.
enum class Health { good, hint, bad, unknown };

/// "good", "hint", "bad", "unknown"
std::string health_name(Health health);

/// One thing that was looked at.
struct Finding {
    std::string check; ///< "unit", "bus", "polkit", "lvm", "plugin exec", "hook qemu-ga", "kernel", "files", "sets"
    Health health = Health::good;
    std::string text;   ///< what is so, a sentence
    std::string advice; ///< what to do; empty: nothing
};

// The judgements, each of facts that were read before (doctor_facts.h): a fact that could not be read is not set.

struct UnitFacts {
    std::optional<std::string> load, active, enabled; ///< systemd's LoadState, ActiveState, UnitFileState
};
Finding judge_unit(const UnitFacts& facts);

struct BusFacts {
    std::optional<std::string> daemon_version; ///< not set: nobody answers
    std::string own_version;
    std::string error; ///< why nobody does
};
Finding judge_bus(const BusFacts& facts);

struct PolkitFacts {
    bool policy = false;      ///< the actions are installed
    bool rules = false;       ///< the rule for the group quiesced is
    bool group = false;       ///< there is that group
    bool service = false;     ///< polkit can be started
};
Finding judge_polkit(const PolkitFacts& facts);

struct LvmFacts {
    std::optional<std::string> version_text;   ///< of `lvm version`
    std::optional<std::string> threshold_text; ///< of `lvmconfig`, lines "NAME=NUMBER"
};
std::vector<Finding> judge_lvm(const LvmFacts& facts);

/// `plugins` as Client::plugins() has them; null: not known. `sockets` are the names of /run/quiesced/plugins.
std::vector<Finding> judge_plugins(const Json& plugins, const std::vector<std::string>& sockets);

/// `command` is the program that the tool's unit runs, as systemd has it; empty: not known.
std::optional<Finding> judge_hook(const HookTool& tool, const HookStatus& status, const std::string& command);

struct KernelFacts {
    std::string release;             ///< "6.1.0-13-amd64"
    std::vector<std::string> missing_modules; ///< of dm_snapshot, dm_thin_pool
    bool modules_known = false;
    std::string hung_task_panic;     ///< of /proc/sys/kernel; empty: not there
};
std::vector<Finding> judge_kernel(const KernelFacts& facts);

/// Snapshot sets that want an admin; `interrupted`: those of which a revert was. None is nothing to tell.
std::optional<Finding> judge_sets(const std::vector<std::string>& interrupted);

/// What was seen of a file system of one's own, in a loop file.
struct LoopFacts {
    std::optional<std::string> skipped; ///< why it was not made, a sentence
    std::string failed_step;            ///< "make a loop device"; empty: all went well
    std::string error;
    int freeze = 0, freeze_again = 0, thaw = 0, thaw_again = 0; ///< errno of each call
    bool identity = false; ///< the descriptor is of that file system and no other
    bool written_while_frozen = false;
};
Finding judge_loop(const LoopFacts& facts);

/// Files of the installation that are not there.
Finding judge_files(const std::vector<std::string>& missing);

/// For people; what has to be mended comes first.
std::string render_findings(const std::vector<Finding>& findings, const Screen& screen);
Json findings_to_json(const std::vector<Finding>& findings);

} // namespace quiesced
