// SPDX-License-Identifier: LGPL-2.1-or-later
// quiescectl: what an admin does with quiesced, over D-Bus.
#include <unistd.h>

#include <array>
#include <iostream>

#include <CLI/CLI.hpp>

#include "config.h"
#include "ctl/commands.h"
#include "ctl/completion.h"
#include "ctl/password_agent.h"
#include "ctl/retention.h"

namespace quiesced {
namespace {

struct Command {
    const char* name;
    ExitCode (*run)(const Context&);
};

constexpr std::array kCommands{
    Command{"mount", mount_snapshots}, Command{"umount", unmount_snapshots}, Command{"sets", show_sets}, Command{"prune", prune_sets},
    Command{"volumes", list_volumes}, Command{"plan", show_plan},       Command{"snapshot", take_snapshot},
    Command{"show", show},            Command{"timeline", show_timeline}, Command{"thaw", thaw_set},
    Command{"abort", abort_sets},     Command{"delete", delete_sets},   Command{"match", match_disks},
    Command{"hook", run_hook},        Command{"plugins", list_plugins}, Command{"writers", list_writers},
    Command{"leases", list_leases},   Command{"hold", hold_volumes},    Command{"watch", watch_sets},
    Command{"reload", reload},        Command{"revert", revert_volumes}, Command{"diff", diff_sets},
    Command{"jobs", list_jobs},       Command{"cancel", cancel_jobs},
};

void add_looks(CLI::App& app, Request& request) {
    auto* volumes = app.add_subcommand("volumes", "List what a set can contain");
    volumes->add_flag("--all", request.all, "Also what has no disk: proc, tmpfs, ...");
    volumes->add_option("-o,--output", request.columns, "Columns: NAME,SIZE for these, +UUID for one more, help to list them");

    auto* plan = app.add_subcommand("plan", "Say what taking a set would do, without touching anything");
    plan->add_option("volume", request.volumes, "As for snapshot; none for all that can be members");
    plan->add_option("--sample", request.sample_ms, "How long to count the writes, ms")->check(CLI::Range(0U, 10000U))->capture_default_str();

    plan->add_option("--store", request.store, "As for snapshot");

    auto* match = app.add_subcommand("match", "Say which disks here are those that a hypervisor knows, and take its word for their type");
    match->add_option("file", request.match_file, "A JSON list of what it knows of each; - for standard input")->required();
    auto* dry = match->add_flag("--dry-run", request.dry_run, "Take no word for anything: only answer");
    match->add_flag("--forget", request.forget, "Forget all that was said before")->excludes(dry);

    auto* plugins = app.add_subcommand("plugins", "List the plugins for arrays, the LUNs that they claim, and how long their last calls took");
    plugins->add_flag("--known", request.known, "What is known already: ask none of them");

    app.add_subcommand("writers", "List the applications that are quiesced, where that is configured, and how the last time went");

    auto* show = app.add_subcommand("show", "List the sets, or show one with its timeline");
    show->add_option("set", request.set, "Its id");

    app.add_subcommand("sets", "List the sets");

    auto* timeline = app.add_subcommand("timeline", "Draw what happened when, and how long each file system was held");
    timeline->add_option("set", request.set, "Its id")->required();

    for (auto* drawn : {plan, timeline}) {
        drawn->add_option("--svg", request.svg, "Draw it into this file; - for standard output");
        drawn->add_option("--draw-program", request.draw_program, "What draws")->capture_default_str();
    }
}

/// How volumes are frozen, for every command that does it.
void add_freeze_options(CLI::App& command, Request& request) {
    command.add_option("volume", request.volumes, "A mount point, a device, UUID=... or LABEL=...")->required();
    command.add_option("--member-limit", request.member_limit_ms, "Longest time for one file system to freeze, ms; then all others are thawed at once")
        ->check(CLI::Range(10U, 600000U));
    command.add_flag("--accept-foreign-freeze", request.accept_foreign_freeze, "Take a volume that somebody else has frozen as it is");
    command.add_flag("--keep-journal", request.keep_journal, "Do not keep the journal in /run meanwhile, even if it lies on a volume of the set");
}

void add_leases(CLI::App& app, Request& request) {
    app.add_subcommand("leases", "List who holds volumes: the unfinished sets, by whom, since when and until when");

    auto* hold = app.add_subcommand("hold", "Hold volumes frozen until Enter, Ctrl-C or the end of this command, whatever ends it");
    add_freeze_options(*hold, request);
    hold->add_option("--deadline", request.deadline_ms, "When they are thawed if this command does not answer any more, ms")
        ->check(CLI::Range(100U, 600000U))->capture_default_str();
    hold->add_option("--for", request.hold_seconds, "Seconds to hold them")->check(CLI::Range(0.01, 86400.0));
    hold->add_flag("--snapshot", request.finish, "Take the snapshots at the end, while all is frozen still; without, only thaw");

    app.add_subcommand("watch", "Tell what happens to all sets, a line each, until Ctrl-C");

    app.add_subcommand("reload", "Have quiesced read its configuration anew");

    app.add_subcommand("doctor", "Look at the whole installation, freeze a scratch file system, and say what to mend")
        ->add_option("--root", request.hook_root, "Look for files below this folder");

    // For the build, which installs what it prints.
    auto* completion = app.add_subcommand("completion", "Print a shell's completion of this command")->group("");
    completion->add_option("shell", request.shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
}

void add_deeds(CLI::App& app, Request& request) {
    auto* snapshot = app.add_subcommand("snapshot", "Take a consistent snapshot set of volumes");
    add_freeze_options(*snapshot, request);
    snapshot->add_option("--deadline", request.deadline_ms, "Longest time frozen, ms")
        ->check(CLI::Range(100U, 600000U))->capture_default_str();
    snapshot->add_option("--store", request.store, "Size of the copy-on-write stores: auto, 512M, 20%SIZE, 200%USED, 50%FREE");

    auto* thaw = app.add_subcommand("thaw", "Thaw a set that was frozen step by step; or, in an emergency, whatever quiesced froze");
    auto* thawed = thaw->add_option("set", request.sets, "Ids");
    auto* emergency = thaw->add_flag("--emergency", request.emergency, "Without the bus and the daemon: thaw, resume and unprime all that their records name");
    thaw->add_option("--daemon-program", request.daemon_program, "What thaws in an emergency")->capture_default_str()->needs(emergency);
    thawed->excludes(emergency);
    thaw->callback([thawed, emergency] {
        if (thawed->empty() && emergency->empty()) throw CLI::RequiredError("Either a set or --emergency");
    });

    auto* mount = app.add_subcommand("mount", "Mount the snapshots of a set read-only in one tree, as their origins are");
    mount->add_option("set", request.set, "Its id")->required();
    mount->add_option("folder", request.folder, "Where")->required();
    mount->add_flag("--skip-missing", request.skip_missing, "Mount the others when the snapshot of a member cannot be mounted here");

    auto* umount = app.add_subcommand("umount", "Unmount the snapshots of sets");
    umount->add_option("set", request.sets, "Their ids")->required();

    auto* abort = app.add_subcommand("abort", "Give sets up: thaw, then undo all that was done for them");
    abort->add_option("set", request.sets, "Their ids")->required();

    auto* prune = app.add_subcommand("prune", "Delete the sets that are too many or too old");
    auto* keep = prune->add_option("--keep", request.keep, "How many of the newest sets of the same volumes stay")->check(CLI::Range(1U, 1000000U));
    auto* age = prune->add_option("--max-age", request.max_age, "How old a set may be: 7d, 36h, 90min");
    age->check([](const std::string& text) { return parse_age(text) ? std::string() : "an age is a number with s, min, h or d: 7d"; });
    prune->add_flag("--dry-run", request.dry_run, "Only say which");
    prune->callback([keep, age] {
        if (keep->empty() && age->empty()) throw CLI::RequiredError("--keep or --max-age");
    });

    auto* diff = app.add_subcommand("diff", "Print as JSON which ranges of a volume differ between two sets");
    diff->add_option("set", request.set, "Id of one set")->required();
    diff->add_option("other", request.other_set, "Id of the other set; - for the volume as it is now")->required();
    diff->add_option("volume", request.diff_volume, "A volume of both")->required();
    diff->add_flag("--no-compare", request.no_compare, "Do not read the snapshots: ranges that were written and are the same count, too");

    auto* revert = app.add_subcommand("revert", "Put volumes back to what the snapshots of a set hold; what was written since then is lost");
    revert->add_option("set", request.set, "Its id")->required();
    revert->add_option("volume", request.volumes, "Names of volumes of the set; none for all, which alone keeps them consistent with each other");
    revert->add_flag("--yes", request.yes, "Do not ask");
    revert->add_flag("--json", request.json, "Print the manifest as JSON");

    app.add_subcommand("jobs", "List what goes on for long, and how far it is");
    auto* cancel = app.add_subcommand("cancel", "Give jobs up that have changed nothing yet");
    cancel->add_option("job", request.jobs, "Their numbers")->required();

    auto* remove = app.add_subcommand("delete", "Remove sets and their snapshots");
    remove->add_option("set", request.sets, "Their ids")->required();
}

void add_hooks(CLI::App& app, Request& request) {
    auto* hook = app.add_subcommand("hook", "What hypervisors' guest tools call, and installing it for them");
    hook->require_subcommand(1);
    hook->fallthrough();
    const auto add = [&](const char* name, const char* text, bool needs_tool) {
        auto* step = hook->add_subcommand(name, text);
        auto* tool = step->add_option("tool", request.hook_tool, "qemu-ga, open-vm-tools, azure, google, nutanix");
        if (needs_tool) tool->required();
        step->callback([&request, name] { request.hook_step = name; });
        return step;
    };
    add("freeze", "Freeze all volumes, and cut those whose snapshot the host does not take", true);
    add("thaw", "Thaw them, and finish the set", true);
    add("abort", "Thaw them, and give the set up: the tool's own snapshot failed", true);
    add("install", "Have a tool call us; never replaces a file of yours", true);
    add("remove", "Undo that", true);
    add("status", "Say which tools call us", false);
    hook->add_option("--config", request.hook_config, "What is frozen")->capture_default_str();
    hook->add_option("--source", request.hook_source, "Where the files to install are")->capture_default_str();
    hook->add_option("--root", request.hook_root, "Install below this folder");
    hook->add_option("--run-directory", request.run_directory, "Where the held set is noted")->capture_default_str();
}

/// Each command has it; of those with steps of their own, the steps.
void add_json(CLI::App& app, Request& request) {
    for (auto* command : app.get_subcommands([](const CLI::App* each) { return each->get_name() != "completion"; }))
        if (command->get_option_no_throw("--json") == nullptr)
            command->add_flag("--json", request.json, command->get_name() == "watch" ? "A JSON object a line" : "As JSON, complaints too");
}

ExitCode run(const CLI::App& app, const Request& request) {
    if (request.json) complain_in_json();
    if (request.emergency) return thaw_in_emergency(request);
    if (request.hook_step == "install" || request.hook_step == "remove" || request.hook_step == "status") return manage_hooks(request);
    if (app.got_subcommand("completion")) {
        const auto commands = completed_commands(app);
        std::cout << (request.shell == "bash" ? bash_completion(commands) : zsh_completion(commands));
        return ExitCode::ok;
    }
    const auto screen = screen_of(STDOUT_FILENO, colour_mode(request.colour));
    if (request.columns == "help") return list_columns(screen);
    auto client = Client::connect(request.place);
    if (app.got_subcommand("doctor")) return examine(request, client, screen);
    if (!client) return complain(client.error());
    const bool here = request.place.bus == "system" && request.place.host.empty() && request.place.machine.empty();
    if (here && !request.never_ask && PasswordAgent::wanted()) client->allow_asking();
    for (const auto& command : kCommands)
        if (app.got_subcommand(command.name)) return command.run({*client, request, screen});
    return ExitCode::usage;
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    using quiesced::ExitCode;
    quiesced::use_utf8();
    quiesced::Request request;
    CLI::App app("Takes consistent snapshot sets and looks after them; talks to quiesced over D-Bus.");
    app.set_version_flag("--version", "quiescectl " QUIESCED_VERSION);
    auto* bus = app.add_option("--bus,--address", request.place.bus, "system, session or an address")->capture_default_str();
    auto* host = app.add_option("-H,--host", request.place.host, "The quiesced of this host, by ssh: [USER@]HOST")->excludes(bus);
    app.add_option("-M,--machine", request.place.machine, "The quiesced of this local container")->excludes(bus)->excludes(host);
    app.add_option("--color,--colour", request.colour, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))->capture_default_str();
    app.add_flag("--no-ask-password", request.never_ask, "Never ask for a password, also on a terminal");
    app.require_subcommand(1);
    app.fallthrough();
    app.footer("Exit codes: 0 done, 1 refused or failed, 2 usage, 3 quiesced cannot be reached, 4 a disk has no match or several.");
    quiesced::add_looks(app, request);
    quiesced::add_deeds(app, request);
    quiesced::add_hooks(app, request);
    quiesced::add_leases(app, request);
    quiesced::add_json(app, request);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? static_cast<int>(ExitCode::ok) : static_cast<int>(ExitCode::usage);
    }
    const auto code = quiesced::run(app, request);
    std::cout.flush();
    if (!std::cout) return static_cast<int>(quiesced::complain({ExitCode::refused, "", "cannot write the output"}));
    return static_cast<int>(code);
}
