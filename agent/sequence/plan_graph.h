// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sequence/planner.h"

namespace quiesced {

/// A volume, a file behind a loop device, or a block device.
struct PlanNode {
    std::string id;
    std::string label; ///< what people read, in several lines
    std::string kind;  ///< as dbus/org.quiesced1.Manager.xml lists them
    Placement placement = Placement::none;
    bool member = false;
};

struct PlanGraph {
    std::vector<PlanNode> nodes;
    std::vector<std::pair<std::string, std::string>> edges; ///< ids: what lies above, what lies directly below
};

/// The members without an error, what is carried, and all that they lie on. Each node once, whatever the devices say.
PlanGraph make_plan_graph(const SetPlan& plan);

} // namespace quiesced
