// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "ctl/screen.h"
#include "view/json_read.h"

namespace quiesced {

/// What Plan answers, for people: what would be frozen, in which order, who cuts it, the room it takes, what is left out, and
/// what to do first. dbus/org.quiesced1.Manager.xml has its keys.
std::string render_plan(const Json& plan, const Screen& screen);

} // namespace quiesced
