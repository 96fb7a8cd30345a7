// SPDX-License-Identifier: LGPL-2.1-or-later
// quiescectl doctor: the whole installation, and what to mend.
#include <algorithm>
#include <iostream>

#include "ctl/commands.h"
#include "ctl/doctor.h"
#include "ctl/doctor_facts.h"
#include "ctl/loop_probe.h"

namespace quiesced {
namespace {

void add(std::vector<Finding>& findings, std::vector<Finding> more) {
    for (auto& each : more) findings.push_back(std::move(each));
}

} // namespace

ExitCode examine(const Request& request, Answer<Client>& client, const Screen& screen) {
    const DoctorPaths paths{.root = request.hook_root};
    std::vector<Finding> findings;
    findings.push_back(judge_files(missing_files(paths)));
    auto bus = client ? read_bus(*client) : BusFacts{}; // starts it where it does not run
    if (!client) bus.error = client.error().message;
    findings.push_back(judge_unit(client ? read_unit(*client) : UnitFacts{}));
    findings.push_back(judge_bus(bus));
    findings.push_back(judge_polkit(read_polkit(paths)));
    add(findings, judge_lvm(read_lvm()));
    const auto plugins = bus.daemon_version ? client->plugins(true) : Answer<Json>(Json());
    add(findings, judge_plugins(plugins ? *plugins : Json(), read_plugin_sockets(paths)));
    if (bus.daemon_version)
        if (auto finding = judge_sets(read_interrupted(*client))) findings.push_back(std::move(*finding));
    for (const auto& tool : hook_tools()) {
        const auto status = hook_status_of(tool, paths.root);
        const auto command = client && tool.name == "qemu-ga" && status.present ? read_unit_command(*client, "qemu-guest-agent.service") : std::string();
        if (auto finding = judge_hook(tool, status, command)) findings.push_back(std::move(*finding));
    }
    add(findings, judge_kernel(read_kernel(paths)));
    findings.push_back(judge_loop(probe_loop(paths.scratch)));

    if (request.json) print_json(findings_to_json(findings));
    else std::cout << render_findings(findings, screen);
    const bool bad = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.health == Health::bad; });
    return bad ? ExitCode::refused : ExitCode::ok;
}

} // namespace quiesced
