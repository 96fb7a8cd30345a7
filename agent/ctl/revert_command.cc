// SPDX-License-Identifier: LGPL-2.1-or-later
// quiescectl revert: explains, asks, and shows how far it is.
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <thread>

#include "ctl/commands.h"
#include "ctl/revert_text.h"

namespace quiesced {
namespace {

/// Asked over a connection of its own: the other one waits for the answer.
void show_progress(const Request& request, const std::stop_token& stop) {
    auto client = Client::connect(request.place);
    std::mutex mutex;
    std::condition_variable_any ending;
    std::string before;
    while (client) {
        {
            std::unique_lock lock(mutex);
            ending.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
        }
        if (stop.stop_requested()) return;
        const auto manifest = client->describe(request.set);
        if (!manifest) return;
        const auto view = view_manifest(*manifest);
        if (!view) return;
        const auto now = revert_progress(*view);
        if (!now.empty() && now != before) std::cerr << now << "\n";
        before = now;
    }
}

/// Whether the set's id is typed.
bool confirmed(const std::string& set) {
    std::cerr << "Type the set's id to go on: " << std::flush;
    std::string line;
    return static_cast<bool>(std::getline(std::cin, line)) && line == set;
}

} // namespace

ExitCode revert_volumes(const Context& context) {
    const auto& request = context.request;
    const auto described = context.client.describe(request.set);
    if (!described) return complain(described.error());
    const auto before = view_manifest(*described);
    if (!before) return complain(before.error());
    for (const auto& name : request.volumes)
        if (std::none_of(before->members.begin(), before->members.end(), [&](const auto& member) { return member.volume == name; }))
            return complain({ExitCode::refused, "org.quiesced1.Error.NoSuchVolume", "'" + name + "' is no volume of the set. See: quiescectl show " + request.set});
    if (!request.yes) {
        std::cerr << render_revert_warning(*before, request.volumes, context.screen);
        if (::isatty(STDIN_FILENO) == 0) return complain({ExitCode::usage, "", "nobody can be asked here: say --yes"});
        if (!confirmed(request.set)) return complain({ExitCode::refused, "", "that is not the set's id: nothing is changed"});
    }
    std::jthread progress;
    if (!request.json) progress = std::jthread([&request](const std::stop_token& stop) { show_progress(request, stop); });
    const auto manifest = context.client.revert(request.set, request.volumes);
    if (progress.joinable()) {
        progress.request_stop();
        progress.join();
    }
    if (!manifest) return complain(manifest.error());
    if (request.json) {
        std::cout << *manifest;
        return ExitCode::ok;
    }
    const auto after = view_manifest(*manifest);
    if (!after) return complain(after.error());
    std::cout << render_reverted(*after);
    return ExitCode::ok;
}

} // namespace quiesced
