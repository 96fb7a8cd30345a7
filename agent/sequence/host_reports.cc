// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/host_reports.h"

#include "sequence/set_report.h"
#include "snapshot/host_provider.h"

namespace quiesced {

void HostReports::add(const std::string& volume, const std::string& reference, Monotonic::time_point when) {
    reports_[volume] = {.reference = reference, .when = when};
}

std::vector<Timeline::Span> HostReports::settle(const Record& record) {
    const auto frozen = frozen_span(record);
    std::erase_if(reports_, [&](const auto& entry) {
        const auto when = entry.second.when.time_since_epoch().count();
        return !frozen.contains(when, when);
    });
    std::vector<Timeline::Span> spans;
    for (const auto& [volume, report] : reports_)
        spans.push_back({.what = "report of the host's snapshot of " + volume, .start = report.when, .end = report.when});
    return spans;
}

void HostReports::apply(Manifest& manifest) const {
    for (auto& member : manifest.members) {
        if (member.provider != kHostProviderName) continue;
        const auto report = reports_.find(member.volume);
        member.snapshot = report == reports_.end() ? std::string() : report->second.reference;
        if (report != reports_.end()) continue;
        member.consistency = kUnreported;
        manifest.consistency = kUnreported;
    }
}

} // namespace quiesced
