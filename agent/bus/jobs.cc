// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/jobs.h"

#include <algorithm>
#include <utility>

namespace quiesced {
namespace {

sdbus::ObjectPath job_path(std::uint64_t number) { return sdbus::ObjectPath(std::string(kManagerPath) + "/job/" + std::to_string(number)); }

} // namespace

Jobs::Jobs(BusContext& context, std::function<void(const sdbus::ObjectPath&)> added, std::function<void(const sdbus::ObjectPath&)> removed)
    : context_(context), added_(std::move(added)), removed_(std::move(removed)) {}

Result<Jobs::Begun> Jobs::begin(JobSubject subject) {
    const auto running = static_cast<std::size_t>(std::count_if(jobs_.begin(), jobs_.end(), [](const auto& entry) { return entry.second->running(); }));
    if (running >= kMostRunning) return fail(ErrorKind::limit, "there are " + std::to_string(running) + " jobs already", "Wait for one of them: quiescectl jobs");
    const auto number = ++last_;
    const auto path = job_path(number);
    // From the set's thread, perhaps after the end of this, when the executor takes nothing any more.
    auto watch = std::make_shared<RevertWatch>([this, &events = context_.events, number](double fraction) {
        events.post([this, number, fraction] {
            if (const auto job = jobs_.find(number); job != jobs_.end()) job->second->progressed(fraction);
        });
    });
    jobs_.emplace(number, std::make_unique<JobObject>(context_, path, std::move(subject), watch));
    added_(path);
    return Begun{.path = path, .watch = std::move(watch), .finished = [this, number](const Result<void>& outcome) { finish(number, outcome); }};
}

void Jobs::finish(std::uint64_t number, const Result<void>& outcome) {
    if (const auto job = jobs_.find(number); job != jobs_.end()) job->second->finished(outcome);
    auto over = std::count_if(jobs_.begin(), jobs_.end(), [](const auto& entry) { return !entry.second->running(); });
    for (auto job = jobs_.begin(); job != jobs_.end() && over > static_cast<std::ptrdiff_t>(kMostOver);) {
        if (job->second->running()) {
            ++job;
            continue;
        }
        const auto path = job_path(job->first);
        retire(std::move(job->second), context_.events);
        job = jobs_.erase(job);
        --over;
        removed_(path);
    }
}

std::vector<sdbus::ObjectPath> Jobs::paths() const {
    std::vector<sdbus::ObjectPath> all;
    for (const auto& [number, job] : jobs_) all.push_back(job_path(number));
    return all;
}

} // namespace quiesced
