// SPDX-License-Identifier: LGPL-2.1-or-later
// quiescectl: what an admin does with quiesced, over D-Bus.
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "config.h"
#include "ctl/client.h"
#include "ctl/manifest_view.h"
#include "ctl/set_text.h"
#include "ctl/timeline_chart.h"
#include "ctl/volume_text.h"

namespace quiesced {
namespace {

struct Request {
    std::string bus = "system";
    bool json = false;
    bool all = false;
    unsigned deadline_ms = 10000;
    std::vector<std::string> volumes;
    std::string set;
    std::vector<std::string> sets;
};

ExitCode complain(const ClientError& error) {
    std::cerr << "quiescectl: " << error.message << "\n";
    if (!error.name.empty()) std::cerr << "(" << error.name << ")\n";
    return error.code;
}

/// The manifest as it came, or for people.
ExitCode print_set(const std::string& manifest, bool json, bool timeline) {
    if (json) {
        std::cout << manifest;
        return ExitCode::ok;
    }
    const auto view = view_manifest(manifest);
    if (!view) return complain({ExitCode::refused, "", view.error().message()});
    std::cout << render_set(*view);
    if (timeline)
        if (const auto chart = render_timeline(*view); !chart.empty()) std::cout << "\n" << chart;
    return ExitCode::ok;
}

ExitCode list_volumes(Client& client, const Request& request) {
    auto volumes = client.volumes();
    if (!volumes) return complain(volumes.error());
    if (!request.all) std::erase_if(*volumes, [](const VolumeView& volume) { return !is_of_interest(volume); });
    std::cout << (request.json ? volumes_to_json(*volumes) : render_volumes(*volumes));
    return ExitCode::ok;
}

ExitCode take_snapshot(Client& client, const Request& request) {
    const auto set = client.create(request.volumes, std::chrono::milliseconds(request.deadline_ms));
    if (!set) return complain(set.error());
    const auto manifest = client.take(*set);
    if (!manifest) return complain(manifest.error());
    return print_set(*manifest, request.json, false);
}

ExitCode show_sets(Client& client, bool json) {
    const auto sets = client.sets();
    if (!sets) return complain(sets.error());
    std::vector<ManifestView> views;
    std::string list;
    for (const auto& set : *sets) {
        const auto manifest = client.describe(set);
        if (!manifest && manifest.error().name == "org.quiesced1.Error.NoSuchSet") continue; // deleted meanwhile
        if (!manifest) return complain(manifest.error());
        const auto view = view_manifest(*manifest);
        if (!view) return complain({ExitCode::refused, "", view.error().message()});
        views.push_back(*view);
        list += (list.empty() ? "" : ",\n") + *manifest;
    }
    std::cout << (json ? "[\n" + list + "]\n" : render_sets(views));
    return ExitCode::ok;
}

ExitCode show(Client& client, const Request& request) {
    if (request.set.empty()) return show_sets(client, request.json);
    const auto manifest = client.describe(request.set);
    if (!manifest) return complain(manifest.error());
    return print_set(*manifest, request.json, true);
}

/// Goes on after a failure: the others are as much to be deleted.
ExitCode delete_sets(Client& client, const Request& request) {
    auto worst = ExitCode::ok;
    for (const auto& set : request.sets) {
        if (const auto removed = client.remove(set); !removed)
            worst = complain(removed.error());
        else
            std::cout << "Set " << set << " is deleted.\n";
    }
    return worst;
}

ExitCode run(const CLI::App& app, const Request& request) {
    auto client = Client::connect(request.bus);
    if (!client) return complain(client.error());
    if (app.got_subcommand("volumes")) return list_volumes(*client, request);
    if (app.got_subcommand("snapshot")) return take_snapshot(*client, request);
    if (app.got_subcommand("show")) return show(*client, request);
    return delete_sets(*client, request);
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    using quiesced::ExitCode;
    quiesced::Request request;
    CLI::App app("Takes consistent snapshot sets and looks after them; talks to quiesced over D-Bus.");
    app.set_version_flag("--version", "quiescectl " QUIESCED_VERSION);
    app.add_option("--bus,--address", request.bus, "system, session or an address")->capture_default_str();
    app.require_subcommand(1);
    app.fallthrough();
    app.footer("Exit codes: 0 done, 1 refused or failed, 2 usage, 3 quiesced cannot be reached.");

    auto* volumes = app.add_subcommand("volumes", "List what a set can contain");
    volumes->add_flag("--all", request.all, "Also what has no disk: proc, tmpfs, ...");
    volumes->add_flag("--json", request.json, "As JSON");

    auto* snapshot = app.add_subcommand("snapshot", "Take a consistent snapshot set of volumes");
    snapshot->add_option("volume", request.volumes, "A mount point, a device, UUID=... or LABEL=...")->required();
    snapshot->add_option("--deadline", request.deadline_ms, "Longest time frozen, ms")
        ->check(CLI::Range(100U, 600000U))->capture_default_str();
    snapshot->add_flag("--json", request.json, "Print the manifest as JSON");

    auto* show = app.add_subcommand("show", "List the sets, or show one with its timeline");
    show->add_option("set", request.set, "Its id");
    show->add_flag("--json", request.json, "As JSON");

    auto* remove = app.add_subcommand("delete", "Remove sets and their snapshots");
    remove->add_option("set", request.sets, "Their ids")->required();

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
