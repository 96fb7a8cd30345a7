// SPDX-License-Identifier: LGPL-2.1-or-later
// quiescectl hook: what hypervisors' guest tools call, and putting it in their way.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <iostream>
#include <string_view>

#include "base/file.h"
#include "ctl/commands.h"
#include "ctl/hook_config.h"
#include "ctl/hook_marker.h"
#include "ctl/hook_tools.h"

namespace quiesced {
namespace {

/// Which set the tool holds: a file in /run, the only place that is never frozen.
std::string held_file(const Request& request) { return "held-by-" + request.hook_tool; }

std::string held_set(const Request& request) { return read_attribute_at(AT_FDCWD, request.run_directory + "/" + held_file(request)).value_or(""); }

void forget_held_set(const Request& request) { ::unlink((request.run_directory + "/" + held_file(request)).c_str()); }

Result<void> note_held_set(const Request& request, const std::string& set) {
    const auto directory = open_at(AT_FDCWD, request.run_directory, O_RDONLY | O_DIRECTORY);
    if (!directory) return tl::unexpected<Error>(directory.error());
    return replace_file_at(directory->get(), held_file(request), set + "\n", 0600);
}

/// What a guest tool's call has come to.
ExitCode print_done(const Request& request, const std::string& set, const char* done) {
    if (request.json) print_json({{"tool", request.hook_tool}, {"set", set}, {"done", set.empty() ? "nothing" : done}});
    return ExitCode::ok;
}

/// Of the tools, qemu-ga alone answers with a number. A freeze without the marker is better than none.
void raise_marker(const Request& request) {
    if (request.hook_tool != "qemu-ga") return;
    if (const auto raised = HookMarker(request.run_directory).raise(); !raised)
        std::cerr << "quiescectl: qemu-ga will answer that it froze nothing, and libvirt then thaws after its deadline only: " << raised.error().message() << "\n";
}

void lower_marker(const Request& request) {
    if (request.hook_tool == "qemu-ga") HookMarker(request.run_directory).lower();
}

/// From nothing up to: everything frozen, LUNs and volumes of the guest cut.
ExitCode freeze_for(const Context& context, const HookConfig& config) {
    auto& client = context.client;
    // A set that this tool never thawed: it, or the host, has lost it. One that another tool holds is refused by CreateSet.
    if (const auto left = held_set(context.request); !left.empty()) static_cast<void>(client.abort(left));
    // Meanwhile; it runs a program, and must be there before anything is frozen. Whatever the way out, its end is waited for.
    const auto marker = std::async(std::launch::async, [&context] { raise_marker(context.request); });
    const auto volumes = client.volumes();
    if (!volumes) return complain(volumes.error());
    const auto chosen = choose_hook_volumes(config, *volumes);
    if (chosen.names.empty()) return complain({ExitCode::refused, "", "there is no volume to freeze. See: quiescectl volumes, and hook.conf"});
    const auto set = client.create(chosen.names, {.deadline = config.deadline, .bind = false, .providers = chosen.providers});
    if (!set) return complain(set.error());
    // Before anything is frozen: a thaw that comes early has to find it.
    if (const auto noted = note_held_set(context.request, *set); !noted) {
        static_cast<void>(client.abort(*set));
        return complain(noted.error());
    }
    for (const char* name : {"Prepare", "Freeze", "Snapshot"}) {
        if (name == std::string_view("Freeze")) marker.wait();
        const auto done = client.step(*set, name);
        if (done) continue;
        static_cast<void>(client.abort(*set)); // thawed already, if the daemon failed it
        forget_held_set(context.request);
        return complain(done.error());
    }
    return print_done(context.request, *set, "frozen");
}

ClientError not_cut_yet(const std::string& set, const Answer<std::string>& state) {
    if (!state) return state.error();
    return {ExitCode::refused, "", "set " + set + " was " + *state + " when the thaw came, and is given up: not everything had been cut"};
}

/// The tool has thawed already what it knows of; now the rest, the writers, and the set is finished.
ExitCode thaw_for(const Context& context) {
    lower_marker(context.request); // the tool has thawed it
    const auto set = held_set(context.request);
    if (set.empty()) return print_done(context.request, set, ""); // thawed before, or never frozen
    // The freeze is still under way, its caller has given it up: Thaw would wait for its end, and it could yet be called good.
    const auto now = context.client.state(set);
    const bool frozen = now && (*now == "snapshotted" || *now == "thawing" || *now == "thawed" || *now == "complete");
    const auto thawed = frozen ? context.client.thaw(set) : Answer<void>(tl::unexpected(not_cut_yet(set, now)));
    forget_held_set(context.request);
    if (thawed) return print_done(context.request, set, "thawed");
    // Not everything had been cut: whatever it is doing, it is given up.
    static_cast<void>(context.client.abort(set));
    return complain(thawed.error());
}

/// The tool's snapshot failed: what was cut here is of no use.
ExitCode abort_for(const Context& context) {
    lower_marker(context.request);
    const auto set = held_set(context.request);
    if (set.empty()) return print_done(context.request, set, "");
    const auto aborted = context.client.abort(set);
    forget_held_set(context.request);
    return aborted ? print_done(context.request, set, "aborted") : complain(aborted.error());
}

ExitCode unknown_tool(const std::string& name) {
    return complain({ExitCode::usage, "", "'" + name + "' is no tool that is known. See: quiescectl hook status"});
}

ExitCode print_steps(const Request& request, const Result<std::vector<std::string>>& steps) {
    if (!steps) return complain(steps.error());
    if (request.json) print_json({{"tool", request.hook_tool}, {"steps", *steps}});
    else
        for (const auto& step : *steps) std::cout << step << "\n";
    return ExitCode::ok;
}

Json json_of(const HookTool& tool, const HookStatus& status) {
    auto files = Json::array();
    for (const auto& file : status.files) files.push_back({{"path", file.path}, {"state", file.state}});
    return {{"tool", tool.name}, {"present", status.present}, {"installed", status.installed}, {"files", std::move(files)}, {"advice", status.advice}};
}

ExitCode show_status(const Request& request) {
    auto list = Json::array();
    for (const auto& tool : hook_tools()) {
        if (!request.hook_tool.empty() && request.hook_tool != tool.name) continue;
        if (request.json) list.push_back(json_of(tool, hook_status_of(tool, request.hook_root)));
        else std::cout << hook_status(tool, request.hook_root);
    }
    if (request.json) print_json(list);
    return ExitCode::ok;
}

} // namespace

ExitCode run_hook(const Context& context) {
    const auto& request = context.request;
    if (find_hook_tool(request.hook_tool) == nullptr) return unknown_tool(request.hook_tool);
    // Whatever the configuration has become meanwhile.
    if (request.hook_step == "thaw") return thaw_for(context);
    if (request.hook_step == "abort") return abort_for(context);
    const auto config = read_hook_config(request.hook_config);
    if (!config) return complain(config.error());
    const auto code = freeze_for(context, *config);
    if (code != ExitCode::ok) lower_marker(request);
    return code != ExitCode::ok && config->may_fail ? ExitCode::ok : code;
}

ExitCode manage_hooks(const Request& request) {
    if (request.hook_step == "status") return show_status(request);
    const auto* tool = find_hook_tool(request.hook_tool);
    if (tool == nullptr) return unknown_tool(request.hook_tool);
    return print_steps(request, request.hook_step == "install" ? install_hook(*tool, request.hook_source, request.hook_root)
                                                               : remove_hook(*tool, request.hook_source, request.hook_root));
}

} // namespace quiesced
