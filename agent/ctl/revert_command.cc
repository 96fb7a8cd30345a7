// SPDX-License-Identifier: LGPL-2.1-or-later
// quiescectl revert: explains, asks, and shows how far it is.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <thread>

#include "ctl/commands.h"
#include "ctl/job_text.h"
#include "ctl/revert_text.h"
#include "view/json_read.h"
#include "view/text.h"

namespace quiesced {
namespace {

constexpr std::chrono::milliseconds kLook{500};

/// How far it is: on a terminal one line that is written over, else a line for each change, every second.
class ProgressLine {
public:
    ProgressLine() : terminal_(is_live_terminal()) {}
    ~ProgressLine() {
        if (shown_ && terminal_) std::cerr << "\r\x1b[K" << std::flush; // ECMA-48: EL
    }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void show(const std::string& text) {
        if (text.empty() || text == before_) return;
        before_ = text;
        shown_ = true;
        if (terminal_) std::cerr << "\r\x1b[K" << fit_text(text, screen_of(STDERR_FILENO, ColourMode::never).width - 1) << std::flush;
        else std::cerr << text << "\n";
    }

private:
    const bool terminal_;
    bool shown_ = false;
    std::string before_;
};

/// Until the job is over. The merge goes on whatever becomes of this.
Answer<void> follow(Client& client, const std::string& set, const std::string& number, bool quiet) {
    std::optional<ProgressLine> line;
    if (!quiet) line.emplace();
    for (bool first = true;; first = false) {
        if (!first) std::this_thread::sleep_for(kLook);
        const auto job = client.job(number);
        if (!job) return tl::unexpected<ClientError>({job.error().code, job.error().name, job.error().message + "\nWhat has begun goes on. See: quiescectl show " + set});
        const auto state = text_of(*job, "State");
        if (state == "done") return {};
        if (state != "running") {
            const auto error = text_of(*job, "Error");
            const auto colon = error.find(": ");
            return tl::unexpected<ClientError>({ExitCode::refused, error.substr(0, colon), colon == std::string::npos ? state : error.substr(colon + 2)});
        }
        if (!line) continue;
        const auto manifest = client.describe(set);
        if (!manifest) continue;
        if (const auto view = view_manifest(*manifest)) line->show(revert_progress(*view, number_of(*job, "Progress").value_or(0)));
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
    const auto job = context.client.start_revert(request.set, request.volumes);
    if (!job) return complain(job.error());
    if (const auto over = follow(context.client, request.set, *job, request.json); !over) return complain(over.error());
    const auto manifest = context.client.describe(request.set);
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

ExitCode list_jobs(const Context& context) {
    const auto jobs = context.client.jobs();
    if (!jobs) return complain(jobs.error());
    if (context.request.json) print_json(*jobs);
    else std::cout << render_jobs(*jobs, std::chrono::system_clock::now(), context.screen);
    return ExitCode::ok;
}

ExitCode cancel_jobs(const Context& context) {
    auto worst = ExitCode::ok;
    auto list = Json::array();
    for (const auto& number : context.request.jobs) {
        Json entry{{"job", number}};
        if (const auto done = context.client.cancel_job(number); !done) {
            entry.update(json_of(done.error()));
            worst = complain(done.error());
        } else {
            entry["done"] = "cancelled";
            if (!context.request.json) std::cout << "Job " << number << " is cancelled.\n";
        }
        list.push_back(std::move(entry));
    }
    if (context.request.json) print_json(list);
    return worst;
}

} // namespace quiesced
