// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "bus/dict.h"
#include "sequence/plan_report.h"

namespace quiesced {

/// What Plan returns; dbus/org.quiesced1.Manager.xml has its keys.
Dict plan_to_dict(const PlanReport& report);

} // namespace quiesced
