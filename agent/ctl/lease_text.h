// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>

#include "ctl/client.h"
#include "ctl/screen.h"
#include "view/json_read.h"

namespace quiesced {

/// Who holds volumes, of ListLeases' JSON: SET STATE USER SINCE UNTIL HELD BY. `now` is what times are told from: "12.5 s ago".
std::string render_leases(const Json& leases, std::chrono::system_clock::time_point now, const Screen& screen = {});

/// "6560000000000001 frozen": a line without its break.
std::string news_text(const SetNews& news);

} // namespace quiesced
