// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "ctl/screen.h"
#include "view/json_read.h"

namespace quiesced {

/// A table of configured writers, each with the keys of ListWriters (dbus/org.quiesced1.Manager.xml); below it, a line for each that is
/// refused or ignored, and for each that failed the last time.
std::string render_writers(const Json& writers, const Screen& screen);

} // namespace quiesced
