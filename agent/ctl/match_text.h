// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ctl/screen.h"
#include "view/json_read.h"

namespace quiesced {

/// Reads what `quiescectl match` is given: a JSON list of objects whose values are texts, whole numbers (sizes) or null,
/// which is as good as nothing. The keys are the daemon's to judge.
/// Errors: invalid_argument, with the disk's index and the key.
Result<Json> parse_match_request(std::string_view text);

/// Whether each disk has exactly one match. `matches` is what MatchDisks answered.
bool all_matched(const Json& matches);

/// A line for each disk, and below them what is to be known: why not, which several, what contradicts.
std::string render_matches(const Json& matches, const Screen& screen);

} // namespace quiesced
