// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "ctl/screen.h"
#include "view/json_read.h"

namespace quiesced {

/// A table of plugins, each with the properties of org.quiesced1.Plugin (dbus/org.quiesced1.Plugin.xml); below it, a line for
/// each that failed, each call that did, and each snapshot that the array holds.
std::string render_plugins(const Json& plugins, const Screen& screen);

} // namespace quiesced
