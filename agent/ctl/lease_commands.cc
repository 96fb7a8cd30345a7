// SPDX-License-Identifier: LGPL-2.1-or-later
// Commands about sets that are under way: who has them, and to hold volumes frozen by hand.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "ctl/commands.h"
#include "ctl/lease_text.h"
#include "ctl/live_view.h"
#include "ctl/set_text.h"
#include "view/manifest_view.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;

/// Until a line or the end of standard input, SIGINT or SIGTERM, or `limit` (0: none); the deadline is moved in time.
Answer<void> wait_and_keep_alive(Client& client, const std::string& set, milliseconds deadline, milliseconds limit) {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, number);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    const UniqueFd told(::signalfd(-1, &signals, SFD_CLOEXEC));
    const auto end = limit.count() > 0 ? Monotonic::now() + limit : Monotonic::time_point::max();
    const auto beat = std::max(deadline / 3, milliseconds(30));
    for (auto next = Monotonic::now() + beat;;) {
        const auto now = Monotonic::now();
        if (now >= end) return {};
        if (now >= next) {
            if (auto kept = client.keep_alive(set); !kept) return kept;
            next = now + beat;
        }
        const auto left = std::chrono::duration_cast<milliseconds>(std::min(next, end) - now) + milliseconds(1);
        // With a limit, standard input does not count: a script or a unit has none.
        pollfd files[2] = {{.fd = told.get(), .events = POLLIN, .revents = 0}, {.fd = limit.count() > 0 ? -1 : STDIN_FILENO, .events = POLLIN, .revents = 0}};
        if (::poll(&files[0], 2, static_cast<int>(left.count())) > 0 && (files[0].revents != 0 || files[1].revents != 0)) return {};
    }
}

Answer<void> run_steps(Client& client, const std::string& set, std::initializer_list<const char*> steps) {
    for (const auto* step : steps)
        if (auto done = client.step(set, step); !done) return done;
    return {};
}

} // namespace

ExitCode list_leases(const Context& context) {
    const auto leases = context.client.leases();
    if (!leases) return complain(leases.error());
    if (context.request.json) print_json(*leases);
    else std::cout << render_leases(*leases, std::chrono::system_clock::now(), context.screen);
    return ExitCode::ok;
}

ExitCode hold_volumes(const Context& context) {
    const auto& request = context.request;
    const milliseconds deadline(request.deadline_ms);
    // It is bound to this process: whatever ends it thaws.
    const auto set = context.client.create(request.volumes, {.deadline = deadline,
                                                             .member_limit = milliseconds(request.member_limit_ms),
                                                             .accept_foreign_freeze = request.accept_foreign_freeze,
                                                             .keep_journal = request.keep_journal});
    if (!set) return complain(set.error());
    const auto steps = [&](std::initializer_list<const char*> names) {
        const LiveView view(request.place, *set);
        return run_steps(context.client, *set, names);
    };
    if (const auto frozen = steps({"Prepare", "Freeze"}); !frozen) return complain(frozen.error());
    const auto start = Monotonic::now();
    const milliseconds limit(static_cast<std::int64_t>(request.hold_seconds * 1000));
    std::cerr << "Set " << *set << ": frozen" << (limit.count() > 0 ? "" : "; Enter or Ctrl-C thaws") << ".\n";
    if (const auto kept = wait_and_keep_alive(context.client, *set, deadline, limit); !kept) return complain(kept.error());
    const auto held_ms = to_ms(Monotonic::now() - start);
    const auto held = duration_text(held_ms);
    if (!request.finish) {
        if (const auto aborted = context.client.abort(*set); !aborted) return complain(aborted.error());
        std::cerr << "Thawed after " << held << "; no snapshot was taken.\n";
        if (request.json) print_json({{"set", *set}, {"held_ms", held_ms}});
        return ExitCode::ok;
    }
    if (const auto finished = steps({"Snapshot", "Thaw", "Finish"}); !finished) return complain(finished.error());
    std::cerr << "Thawed after " << held << ".\n";
    const auto manifest = context.client.describe(*set);
    if (!manifest) return complain(manifest.error());
    if (request.json) {
        std::cout << *manifest;
        return ExitCode::ok;
    }
    const auto view = view_manifest(*manifest);
    if (!view) return complain(view.error());
    std::cout << render_set(*view, context.screen);
    return ExitCode::ok;
}

ExitCode reload(const Context& context) {
    if (const auto done = context.client.reload(); !done) return complain(done.error());
    if (context.request.json) print_json({{"done", "reloaded"}});
    return ExitCode::ok;
}

ExitCode watch_sets(const Context& context) {
    const auto json = context.request.json;
    const auto lost = context.client.watch([json](const SetNews& news) {
        if (json) {
            Json line{{"set", news.set}, {"what", news.what}};
            if (!news.state.empty()) line["state"] = news.state;
            if (!news.error.empty()) line["error"] = news.error;
            if (news.what == "progress") {
                line["step"] = news.step;
                line["done"] = news.done;
                line["total"] = news.total;
            }
            if (news.what == "progress" || news.what == "warning") line["volume"] = news.volume;
            if (news.what == "warning") {
                line["kind"] = news.kind;
                line["message"] = news.message;
            }
            std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl; // seen at once, also through a pipe
            return;
        }
        std::cout << news_text(news) << std::endl;
    });
    return complain(lost);
}

} // namespace quiesced
