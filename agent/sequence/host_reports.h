// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "freeze/record.h"
#include "sequence/timeline.h"
#include "snapshot/manifest.h"

namespace quiesced {

/// What the host has said of the snapshots that it took of a set's members. Not thread-safe.
class HostReports {
public:
    /// The last word on a volume counts.
    void add(const std::string& volume, const std::string& reference, Monotonic::time_point when);

    /// After the window: forgets what was not said while everything was frozen, for the snapshot may then be of any moment.
    /// Returns the rest as cuts for judge_window().
    std::vector<Timeline::Span> settle(const Record& record);

    /// After judge_window(): the references of the members whose provider is the host; "unreported" are those without one, and
    /// with them the set.
    void apply(Manifest& manifest) const;

private:
    struct Report {
        std::string reference;
        Monotonic::time_point when;
    };
    std::map<std::string, Report> reports_; ///< by Volume::name
};

} // namespace quiesced
