// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "sequence/plan_graph.h"
#include "sequence/plan_warnings.h"
#include "sequence/planner.h"
#include "snapshot/provider.h"
#include "writers/writer.h"

namespace quiesced {

struct PlanOptions {
    std::chrono::milliseconds sample{1000}; ///< how long writes are counted; 0: not at all
    ProviderChoice providers = {};
    SnapshotWishes wishes = {};
};

/// A member of the plan, or a name that could be none (PlannedVolume::error).
struct ReportedMember {
    PlannedVolume planned;
    std::vector<std::string> carries;        ///< names of what is frozen along with it
    std::optional<std::uint64_t> write_rate; ///< bytes a second on its devices
    std::optional<Bytes> store;              ///< of its snapshot, if that has one
    std::optional<std::chrono::seconds> fills_in;
};

struct ReportedProvider {
    std::string name;
    std::vector<std::string> volumes; ///< names of the members that it takes
    std::optional<Error> error;       ///< why it could not arm them
};

struct ReportedSpace {
    std::string provider;
    SpaceNeed need;
};

/// All decisions about a set, and what an admin should know before.
struct PlanReport {
    bool feasible = false;
    HostFacts host;
    std::chrono::milliseconds sampled{0};
    std::vector<ReportedMember> members;
    std::vector<PlannedVolume> carried;
    std::vector<std::vector<std::string>> levels; ///< names, the level that is frozen first at the front
    std::vector<ReportedProvider> providers;
    std::vector<ReportedSpace> space;
    WriterList writers;
    std::optional<Error> writers_error;
    std::vector<PlannedVolume> skipped; ///< with their errors
    std::vector<PlanWarning> warnings;
    PlanGraph graph;
    std::shared_ptr<const Inventory> inventory;
};

/// What a report is made from.
struct PlanSources {
    std::shared_ptr<const Inventory> inventory;
    std::vector<std::shared_ptr<Provider>> providers; ///< plugins first
    std::unique_ptr<Writers> writers;                 ///< null: none
    std::function<std::optional<Error>(const Volume&)> held; ///< that an unfinished set has it; may be empty
    HostPaths host;
};

/// Plans with plan_volumes(), touches nothing: reads, asks providers for claims and estimates, never arms. No names: all
/// volumes that could be members. Takes as long as the providers' answers and the sample; `stop` ends the sample.
/// Errors: invalid_argument (too many names), internal.
Result<PlanReport> make_plan_report(const std::vector<std::string>& names, const PlanSources& sources,
                                    const PlanOptions& options, const std::stop_token& stop = {});

} // namespace quiesced
