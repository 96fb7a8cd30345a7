// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/commands.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <iostream>

#include "ctl/drawing.h"
#include "ctl/live_view.h"
#include "ctl/plan_text.h"
#include "ctl/plugin_text.h"
#include "ctl/retention.h"
#include "ctl/set_list.h"
#include "ctl/set_text.h"
#include "ctl/timeline_chart.h"
#include "ctl/volume_text.h"
#include "ctl/writer_text.h"
#include "view/manifest_view.h"
#include "view/text.h"

namespace quiesced {
namespace {

/// The manifest as it came, or for people.
ExitCode print_set(const std::string& manifest, const Context& context, bool timeline) {
    if (context.request.json) {
        std::cout << manifest;
        return ExitCode::ok;
    }
    const auto view = view_manifest(manifest);
    if (!view) return complain(view.error());
    std::cout << render_set(*view, context.screen);
    if (timeline)
        if (const auto chart = render_timeline(*view, context.screen.width); !chart.empty()) std::cout << "\n" << chart;
    return ExitCode::ok;
}

/// Makes a drawing of the JSON and puts it where it is asked for.
ExitCode draw(const std::string& kind, const std::string& json, const Request& request) {
    const auto svg = make_drawing(request.draw_program, kind, json);
    if (!svg) return complain(svg.error());
    if (request.svg == "-") {
        std::cout << *svg;
        return ExitCode::ok;
    }
    if (const auto written = write_drawing(request.svg, *svg); !written) return complain(written.error());
    return ExitCode::ok;
}

/// Goes on after a failure: the others are as much meant.
template <typename Step>
ExitCode for_each_set(const Request& request, const char* done, Step step) {
    auto worst = ExitCode::ok;
    auto list = Json::array();
    for (const auto& set : request.sets) {
        Json entry{{"set", set}};
        if (const auto result = step(set); !result) {
            entry.update(json_of(result.error()));
            worst = complain(result.error());
        } else {
            entry["done"] = done;
            if (!request.json) std::cout << "Set " << set << " is " << done << ".\n";
        }
        list.push_back(std::move(entry));
    }
    if (request.json) print_json(list);
    return worst;
}

} // namespace

ExitCode list_columns(const Screen& screen) {
    std::cout << describe_columns(screen);
    return ExitCode::ok;
}

ExitCode list_volumes(const Context& context) {
    const auto columns = choose_columns(context.request.columns);
    if (!columns) return complain(columns.error());
    auto volumes = context.client.volumes();
    if (!volumes) return complain(volumes.error());
    auto shown = Json::array();
    for (auto& volume : *volumes)
        if (context.request.all || is_of_interest(volume)) shown.push_back(std::move(volume));
    if (!context.request.json) {
        std::cout << render_volumes(shown, *columns, context.screen);
    } else {
        print_json(context.request.columns.empty() ? shown : only_columns(shown, *columns));
    }
    return ExitCode::ok;
}

ExitCode show_plan(const Context& context) {
    const auto& request = context.request;
    const auto plan = context.client.plan(request.volumes, std::chrono::milliseconds(request.sample_ms), request.store);
    if (!plan) return complain(plan.error());
    if (!request.svg.empty()) {
        if (const auto drawn = draw("plan", plan->dump(-1, ' ', false, Json::error_handler_t::replace), request); drawn != ExitCode::ok)
            return drawn;
    }
    if (request.json && request.svg != "-") print_json(*plan);
    else if (request.svg.empty()) std::cout << render_plan(*plan, context.screen);
    return flag_of(*plan, "feasible") ? ExitCode::ok : ExitCode::refused;
}

ExitCode take_snapshot(const Context& context) {
    const auto& request = context.request;
    const auto set = context.client.create(request.volumes, {.deadline = std::chrono::milliseconds(request.deadline_ms),
                                                             .member_limit = std::chrono::milliseconds(request.member_limit_ms),
                                                             .accept_foreign_freeze = request.accept_foreign_freeze,
                                                             .store = request.store,
                                                             .keep_journal = request.keep_journal});
    if (!set) return complain(set.error());
    const auto manifest = [&] {
        const LiveView view(request.place, *set);
        return context.client.take(*set);
    }();
    if (!manifest) return complain(manifest.error());
    return print_set(*manifest, context, false);
}

ExitCode show_sets(const Context& context) {
    std::string list;
    const auto views = read_sets(context.client, list);
    if (!views) return complain(views.error());
    std::cout << (context.request.json ? "[\n" + list + "]\n" : render_sets(*views, context.screen));
    return ExitCode::ok;
}

ExitCode prune_sets(const Context& context) {
    const auto& request = context.request;
    std::string list;
    const auto views = read_sets(context.client, list);
    if (!views) return complain(views.error());
    Retention rules;
    if (request.keep != 0) rules.keep = request.keep;
    if (!request.max_age.empty()) rules.max_age = parse_age(request.max_age);
    auto worst = ExitCode::ok;
    auto gone = Json::array();
    for (const auto& set : expired(*views, rules, std::time(nullptr))) {
        Json entry{{"set", set.id}, {"reason", set.reason}};
        if (!request.dry_run)
            if (const auto removed = context.client.remove(set.id); !removed) {
                worst = complain(removed.error()); // a mounted one must not keep the others
                entry.update(json_of(removed.error()));
                gone.push_back(std::move(entry));
                continue;
            }
        if (!request.dry_run) entry["done"] = "deleted";
        gone.push_back(std::move(entry));
        if (!request.json) std::cout << "Set " << set.id << (request.dry_run ? " would be deleted: " : " is deleted: ") << printable(set.reason) << ".\n";
    }
    if (request.json) print_json(gone);
    return worst;
}

ExitCode show(const Context& context) {
    if (context.request.set.empty()) return show_sets(context);
    const auto manifest = context.client.describe(context.request.set);
    if (!manifest) return complain(manifest.error());
    return print_set(*manifest, context, true);
}

ExitCode show_timeline(const Context& context) {
    const auto manifest = context.client.describe(context.request.set);
    if (!manifest) return complain(manifest.error());
    if (!context.request.svg.empty()) return draw("timeline", *manifest, context.request);
    if (context.request.json) {
        std::cout << *manifest;
        return ExitCode::ok;
    }
    const auto view = view_manifest(*manifest);
    if (!view) return complain(view.error());
    const auto chart = render_timeline(*view, context.screen.width);
    std::cout << (chart.empty() ? "This set has no times yet: it is " + printable(view->state) + ".\n" : chart) << "\n"
              << render_member_times(*view, context.screen);
    return ExitCode::ok;
}

ExitCode list_plugins(const Context& context) {
    const auto plugins = context.client.plugins(!context.request.known);
    if (!plugins) return complain(plugins.error());
    if (context.request.json) print_json(*plugins);
    else std::cout << render_plugins(*plugins, context.screen);
    return ExitCode::ok;
}

ExitCode list_writers(const Context& context) {
    const auto writers = context.client.writers();
    if (!writers) return complain(writers.error());
    if (context.request.json) print_json(*writers);
    else std::cout << render_writers(*writers, context.screen);
    return ExitCode::ok;
}

ExitCode delete_sets(const Context& context) {
    return for_each_set(context.request, "deleted", [&](const auto& set) { return context.client.remove(set); });
}

ExitCode thaw_set(const Context& context) {
    return for_each_set(context.request, "thawed", [&](const auto& set) { return context.client.thaw(set); });
}

ExitCode abort_sets(const Context& context) {
    return for_each_set(context.request, "aborted", [&](const auto& set) { return context.client.abort(set); });
}

// No library, file or memory beyond what this process has already, up to the exec: the root file system may be frozen.
// Reading a frozen file system works (kernel 6.1, 6.18), so that the daemon's program can still be loaded.
ExitCode thaw_in_emergency(const Request& request) {
    const std::array<const char*, 4> arguments{request.daemon_program.c_str(), "--recover", "--emergency", nullptr};
    // exec's interface lacks the const that it keeps.
    ::execv(arguments[0], const_cast<char* const*>(arguments.data())); // NOLINT(cppcoreguidelines-pro-type-const-cast)
    return complain({ExitCode::refused, "",
                     "cannot run " + request.daemon_program + ": " + std::strerror(errno) +
                         ". The last resort is SysRq-j, which thaws all file systems: echo j > /proc/sysrq-trigger"});
}

} // namespace quiesced
