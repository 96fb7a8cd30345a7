// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>

#include "ctl/screen.h"
#include "view/json_read.h"

namespace quiesced {

/// A table of jobs, each with the properties of org.quiesced1.Job (dbus/org.quiesced1.Job.xml) and its number as "Job"; below it, why
/// one failed. `now` is what times are told from: "12.5 s ago".
std::string render_jobs(const Json& jobs, std::chrono::system_clock::time_point now, const Screen& screen = {});

} // namespace quiesced
