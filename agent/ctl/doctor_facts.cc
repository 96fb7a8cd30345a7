// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/doctor_facts.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "config.h"
#include "ctl/set_list.h"

namespace quiesced {
namespace {

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// What it writes; nothing if it is not there or fails.
std::optional<std::string> output_of(const std::vector<std::string>& argv) {
    const auto outcome = run_child(argv, {.input = {}, .environment = {}, .limit = std::chrono::seconds(20), .output_limit = 1U << 20U});
    if (!outcome || outcome->exit_status != 0) return std::nullopt;
    return outcome->output;
}

} // namespace

UnitFacts read_unit(Client& client) {
    UnitFacts facts;
    const auto properties = client.unit("quiesced.service", "org.freedesktop.systemd1.Unit");
    if (!properties) return facts;
    facts.load = text_of(*properties, "LoadState");
    facts.active = text_of(*properties, "ActiveState");
    facts.enabled = text_of(*properties, "UnitFileState");
    return facts;
}

BusFacts read_bus(Client& client) {
    BusFacts facts;
    facts.own_version = QUIESCED_VERSION;
    if (const auto version = client.version()) facts.daemon_version = *version;
    else facts.error = version.error().message;
    return facts;
}

PolkitFacts read_polkit(const DoctorPaths& paths) {
    const auto share = paths.root + "/usr/share/";
    return {.policy = is_there(share + "polkit-1/actions/org.quiesced1.policy"),
            .rules = is_there(share + "polkit-1/rules.d/60-quiesced.rules") || is_there(paths.root + "/etc/polkit-1/rules.d/60-quiesced.rules"),
            .group = ::getgrnam("quiesced") != nullptr, // NOLINT(concurrency-mt-unsafe): no other thread asks
            .service = is_there(share + "dbus-1/system-services/org.freedesktop.PolicyKit1.service")};
}

LvmFacts read_lvm() {
    return {.version_text = output_of({"lvm", "version"}),
            .threshold_text = output_of({"lvmconfig", "--typeconfig", "full", "activation/snapshot_autoextend_threshold", "activation/thin_pool_autoextend_threshold"})};
}

std::vector<std::string> read_interrupted(Client& client) {
    std::vector<std::string> interrupted;
    std::string list;
    const auto sets = read_sets(client, list);
    if (!sets) return interrupted;
    for (const auto& set : *sets)
        if (revert_interrupted(set)) interrupted.push_back(set.id);
    return interrupted;
}

std::vector<std::string> read_plugin_sockets(const DoctorPaths& paths) {
    return list_directory_at(AT_FDCWD, paths.root + paths.plugin_directory).value_or(std::vector<std::string>{});
}

KernelFacts read_kernel(const DoctorPaths& paths) {
    KernelFacts facts;
    utsname names{};
    if (::uname(&names) == 0) facts.release = names.release;
    facts.hung_task_panic = read_attribute_at(AT_FDCWD, paths.root + "/proc/sys/kernel/hung_task_panic").value_or("");
    for (const auto* module : {"dm_snapshot", "dm_thin_pool"}) {
        // Also right for one that is built in.
        const auto outcome = run_child({"modprobe", "-n", "-q", module});
        if (!outcome) return facts;
        if (outcome->exit_status != 0) facts.missing_modules.emplace_back(module);
    }
    facts.modules_known = true;
    return facts;
}

std::vector<std::string> missing_files(const DoctorPaths& paths) {
    std::vector<std::string> missing;
    for (const auto* path : {QUIESCED_SBINDIR "/quiesced", QUIESCED_LIBEXECDIR "/quiesced-freezer"})
        if (!is_there(paths.root + path)) missing.emplace_back(path);
    // The system's bus reads these two folders whatever the prefix.
    const bool policy = is_there(paths.root + "/usr/share/dbus-1/system.d/org.quiesced1.conf") || is_there(paths.root + "/etc/dbus-1/system.d/org.quiesced1.conf");
    if (!policy) missing.emplace_back("/usr/share/dbus-1/system.d/org.quiesced1.conf");
    return missing;
}

std::string read_unit_command(Client& client, const std::string& unit) {
    const auto properties = client.unit(unit, "org.freedesktop.systemd1.Service");
    if (!properties) return {};
    const auto commands = properties->find("ExecStart"); // a(sasbttttuii)
    std::string text;
    if (commands == properties->end() || !commands->is_array() || commands->empty()) return text;
    const auto& first = commands->front();
    if (!first.is_array() || first.size() < 2) return text;
    for (const auto& word : texts_of(first[1])) text += (text.empty() ? "" : " ") + word;
    return text;
}

} // namespace quiesced
