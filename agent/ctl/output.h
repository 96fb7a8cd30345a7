// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/result.h"
#include "ctl/client.h"
#include "view/json_read.h"

namespace quiesced {

/// To standard output, with a line break. Never fails for a text that is no UTF-8.
void print_json(const Json& value);

/// Complaints are objects from now on, one a line: {"error": NAME, "message": SENTENCE, "exit_code": N}. For --json.
void complain_in_json();

/// To standard error, as every command does it.
ExitCode complain(const ClientError& error);
ExitCode complain(const Error& error);

/// The same as JSON, for one of several things that a command was asked for.
Json json_of(const ClientError& error);

} // namespace quiesced
