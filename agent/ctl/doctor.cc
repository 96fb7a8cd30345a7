// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/doctor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/join.h"
#include "view/text.h"

namespace quiesced {
namespace {

Finding good(std::string check, std::string text) { return {std::move(check), Health::good, std::move(text), {}}; }

/// "2.03.16(2)" in "  LVM version:     2.03.16(2) (2022-05-18)".
std::optional<std::array<int, 3>> lvm_version(const std::string& text) {
    const auto at = text.find("LVM version:");
    std::array<int, 3> parts{};
    if (at == std::string::npos || std::sscanf(text.c_str() + at, "LVM version: %d.%d.%d", &parts[0], &parts[1], &parts[2]) != 3) return std::nullopt; // NOLINT(cert-err34-c)
    return parts;
}

std::optional<int> threshold(const std::string& text, const std::string& name) {
    const auto at = text.find(name + "=");
    int value = 0;
    if (at == std::string::npos || std::sscanf(text.c_str() + at + name.size(), "=%d", &value) != 1) return std::nullopt; // NOLINT(cert-err34-c)
    return value;
}

std::string names(const std::vector<std::string>& items) { return joined(items); }

} // namespace

std::string health_name(Health health) {
    switch (health) {
    case Health::good: return "good";
    case Health::hint: return "hint";
    case Health::bad: return "bad";
    case Health::unknown: return "unknown";
    }
    return "unknown";
}

Finding judge_unit(const UnitFacts& facts) {
    const std::string check = "unit";
    if (!facts.load) return {check, Health::unknown, "systemd does not tell of quiesced.service", "Run this as root, on the machine itself."};
    if (*facts.load == "not-found") return {check, Health::bad, "systemd knows no quiesced.service", "Install it, then: systemctl daemon-reload"};
    if (*facts.load != "loaded") return {check, Health::bad, "quiesced.service is " + *facts.load, "See: systemctl status quiesced"};
    const auto active = facts.active.value_or("");
    if (active == "failed") return {check, Health::bad, "quiesced.service has failed", "See: journalctl -x -u quiesced; then: systemctl restart quiesced"};
    if (active != "active") return {check, Health::hint, "quiesced.service is " + active + "; the first call starts it", "To start it at each boot: systemctl enable --now quiesced"};
    if (facts.enabled.value_or("enabled") == "disabled")
        return {check, Health::hint, "quiesced.service runs, and does not start at boot: nobody watches the space of snapshots until the first call", "systemctl enable quiesced"};
    return good(check, "quiesced.service runs");
}

Finding judge_bus(const BusFacts& facts) {
    if (!facts.daemon_version)
        return {"bus", Health::bad, "nobody answers as org.quiesced1: " + facts.error,
                "See: systemctl status quiesced; whether its policy is read: busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig"};
    if (*facts.daemon_version != facts.own_version)
        return {"bus", Health::hint, "the daemon is " + *facts.daemon_version + ", and this command " + facts.own_version, "After an update: systemctl restart quiesced"};
    return good("bus", "org.quiesced1 answers, release " + *facts.daemon_version);
}

Finding judge_polkit(const PolkitFacts& facts) {
    if (!facts.service) return {"polkit", Health::hint, "polkit is not installed: only root may do anything", "For other users: install polkitd"};
    if (!facts.policy) return {"polkit", Health::bad, "polkit does not know the actions of quiesced: only root may do anything", "Install org.quiesced1.policy in /usr/share/polkit-1/actions"};
    if (facts.group && !facts.rules)
        return {"polkit", Health::bad, "there is a group quiesced, and no rule that grants it anything", "Install 60-quiesced.rules in /usr/share/polkit-1/rules.d"};
    return good("polkit", facts.group ? "polkit knows the actions, and a rule the group quiesced" : "polkit knows the actions; there is no group quiesced");
}

std::vector<Finding> judge_lvm(const LvmFacts& facts) {
    if (!facts.version_text) return {{"lvm", Health::hint, "LVM is not installed: volumes on virtual disks are left to the host", "For snapshots in the guest: install lvm2"}};
    std::vector<Finding> findings;
    const auto version = lvm_version(*facts.version_text);
    if (!version) findings.push_back({"lvm", Health::unknown, "the version of LVM is not understood", "See: lvm version"});
    else {
        char text[32]; // NOLINT(cppcoreguidelines-avoid-c-arrays)
        std::snprintf(text, sizeof text, "%d.%02d.%02d", version->at(0), version->at(1), version->at(2));
        if (*version < std::array{2, 3, 0}) findings.push_back({"lvm", Health::bad, std::string("LVM ") + text + " is too old", "2.03 at least is needed: it takes --setautoactivation and reports in JSON"});
        else findings.push_back(good("lvm", std::string("LVM ") + text));
    }
    const auto thresholds = facts.threshold_text.value_or("");
    for (const auto& [name, what] : {std::pair{"snapshot_autoextend_threshold", "a thick snapshot that fills its store is lost"},
                                     std::pair{"thin_pool_autoextend_threshold", "a thin pool that is full loses its snapshots and stops its origins"}}) {
        const auto value = threshold(thresholds, name);
        if (!value) findings.push_back({"lvm", Health::unknown, std::string(name) + " is not known", "See: lvmconfig --typeconfig full activation"});
        else if (*value >= 100) findings.push_back({"lvm", Health::hint, std::string("LVM does not extend by itself (") + name + " = " + std::to_string(*value) + "): " + what,
                                                    std::string("Set activation/") + name + " below 100 in /etc/lvm/lvm.conf, and run dmeventd; or watch the signal SpaceLow."});
        else findings.push_back(good("lvm", std::string(name) + " = " + std::to_string(*value)));
    }
    return findings;
}

std::vector<Finding> judge_plugins(const Json& plugins, const std::vector<std::string>& sockets) {
    if (!plugins.is_array()) return {{"plugins", Health::unknown, "the daemon does not tell of its plugins", {}}};
    if (plugins.empty() && sockets.empty())
        return {{"plugins", Health::hint, "no plugin is there: LUNs cannot be members", "systemctl enable --now quiesced-plugin-NAME.socket"}};
    std::vector<Finding> findings;
    for (const auto& plugin : plugins) {
        const auto check = "plugin " + text_of(plugin, "Name");
        const auto state = text_of(plugin, "State");
        if (state == "ready") findings.push_back(good(check, "it answers, release " + text_of(plugin, "Version")));
        else if (state == "failed") findings.push_back({check, Health::bad, text_of(plugin, "Error"), "See: journalctl -u 'quiesced-plugin-" + text_of(plugin, "Name") + "@*'"});
        else findings.push_back({check, Health::unknown, "it was not asked yet", "quiescectl plugins"});
    }
    return findings;
}

std::optional<Finding> judge_sets(const std::vector<std::string>& interrupted) {
    if (interrupted.empty()) return std::nullopt;
    return Finding{"sets", Health::bad, "a revert was interrupted, and volumes do not fit together: " + joined(interrupted), "quiescectl show " + interrupted.front()};
}

std::optional<Finding> judge_hook(const HookTool& tool, const HookStatus& status, const std::string& command) {
    const auto check = "hook " + std::string(tool.name);
    if (!status.present && !status.installed) return std::nullopt;
    if (status.present && !status.installed) {
        const bool foreign = std::any_of(status.files.begin(), status.files.end(), [](const auto& file) { return file.state == "foreign"; });
        return Finding{check, Health::hint, foreign ? "the tool is here, and calls a script of somebody else's" : "the tool is here, and does not call quiesced: a backup by it freezes without LUNs and writers",
                       "quiescectl hook install " + std::string(tool.name)};
    }
    if (!status.present) return Finding{check, Health::hint, "it is installed, and the tool is not here", "quiescectl hook remove " + std::string(tool.name)};
    if (!status.advice.empty()) return Finding{check, Health::bad, "the tool takes our freeze for an error", status.advice};
    // The drop-in is there; whether systemd has read it is another thing.
    if (tool.name == "qemu-ga" && !command.empty() && command.find("qemu-ga/fsfreeze-hook") == std::string::npos)
        return Finding{check, Health::bad, "the unit of qemu-ga runs '" + command + "', without -F and our hook", tool.next};
    return good(check, "the tool calls quiesced");
}

std::vector<Finding> judge_kernel(const KernelFacts& facts) {
    std::vector<Finding> findings;
    int major = 0, minor = 0;
    if (std::sscanf(facts.release.c_str(), "%d.%d", &major, &minor) != 2) findings.push_back({"kernel", Health::unknown, "the kernel's release '" + facts.release + "' is not understood", {}}); // NOLINT(cert-err34-c)
    else if (major < 5 || (major == 5 && minor < 8)) findings.push_back({"kernel", Health::bad, "Linux " + facts.release + " does not tell the id of a mount (statx, 5.8), by which a file system is known again", "Run Linux 5.8 or later."});
    else findings.push_back(good("kernel", "Linux " + facts.release));
    if (!facts.modules_known) findings.push_back({"kernel", Health::unknown, "which modules device-mapper has is not known", "See: modprobe -n dm_snapshot"});
    else if (!facts.missing_modules.empty()) findings.push_back({"kernel", Health::bad, "the kernel has no " + names(facts.missing_modules) + ": LVM cannot make such snapshots", "Install the modules of this kernel."});
    else findings.push_back(good("kernel", "device-mapper has its snapshot and thin-pool targets"));
    if (!facts.hung_task_panic.empty() && facts.hung_task_panic != "0")
        findings.push_back({"kernel", Health::bad, "kernel.hung_task_panic is " + facts.hung_task_panic + ": a freeze that a disk holds up panics this machine", "sysctl kernel.hung_task_panic=0"});
    return findings;
}

Finding judge_loop(const LoopFacts& facts) {
    const std::string check = "freeze";
    if (facts.skipped) return {check, Health::unknown, "freezing was not tried: " + *facts.skipped, "Run this as root."};
    if (!facts.failed_step.empty()) return {check, Health::unknown, "freezing could not be tried: cannot " + facts.failed_step + ": " + facts.error, {}};
    if (!facts.identity) return {check, Health::bad, "a descriptor of the mount is not of the file system that was mounted: no freeze would be safe here", "Tell the project of this kernel."};
    if (facts.freeze != 0) return {check, Health::bad, std::string("a scratch ext4 cannot be frozen: ") + std::strerror(facts.freeze), "A security module or a container's limits may forbid FIFREEZE."};
    if (facts.written_while_frozen) return {check, Health::bad, "a frozen scratch ext4 was written to", "Tell the project of this kernel."};
    if (facts.thaw != 0) return {check, Health::bad, std::string("a scratch ext4 cannot be thawed: ") + std::strerror(facts.thaw), "Tell the project of this kernel."};
    if (facts.freeze_again != EBUSY || facts.thaw_again != EINVAL)
        return {check, Health::bad, "a second freeze or thaw is not refused, so that a freeze of somebody else's cannot be told from ours", "Tell the project of this kernel."};
    return good(check, "a scratch ext4 in a loop file was frozen, not written to, and thawed");
}

Finding judge_files(const std::vector<std::string>& missing) {
    if (missing.empty()) return good("files", "the installation is complete");
    return {"files", Health::bad, "not there: " + names(missing), "Install quiesced again."};
}

std::string render_findings(const std::vector<Finding>& findings, const Screen& screen) {
    struct Look {
        const char* mark;
        Colour colour;
    };
    const auto look = [](Health health) -> Look {
        switch (health) {
        case Health::good: return {"ok  ", Colour::green};
        case Health::hint: return {"hint", Colour::yellow};
        case Health::bad: return {"BAD ", Colour::red};
        case Health::unknown: return {"?   ", Colour::yellow};
        }
        return {"?   ", Colour::yellow};
    };
    auto sorted = findings;
    const auto order = [](Health health) { return health == Health::bad ? 0 : health == Health::hint ? 1 : health == Health::unknown ? 2 : 3; };
    std::stable_sort(sorted.begin(), sorted.end(), [&](const Finding& a, const Finding& b) { return order(a.health) < order(b.health); });
    std::string text;
    for (const auto& finding : sorted) {
        const auto [mark, colour] = look(finding.health);
        const auto lines = wrap_text(printable(finding.check) + ": " + printable(finding.text), screen.width > 6 ? screen.width - 5 : screen.width, 5);
        text += screen.paint(colour, mark) + " " + lines;
        if (!finding.advice.empty()) text += "     " + wrap_text("-> " + printable(finding.advice), screen.width > 6 ? screen.width - 5 : screen.width, 8);
    }
    const auto bad = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) { return finding.health == Health::bad; });
    text += bad == 0 ? "\nNothing has to be mended.\n" : "\n" + std::to_string(bad) + (bad == 1 ? " thing has" : " things have") + " to be mended.\n";
    return text;
}

Json findings_to_json(const std::vector<Finding>& findings) {
    auto list = Json::array();
    for (const auto& finding : findings)
        list.push_back({{"check", finding.check}, {"health", health_name(finding.health)}, {"text", finding.text}, {"advice", finding.advice}});
    return list;
}

} // namespace quiesced
