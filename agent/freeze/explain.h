// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "freeze/protocol.h"
#include "freeze/record.h"

namespace quiesced {

/// What went wrong with one member, by its slot; nothing when all is as it should be. A foreign freeze that the plan accepts is
/// no problem.
std::optional<Error> explain_member(const RecordHeader& header, const MemberSlot& slot);

/// A sentence for the admin, with what to do, about each member that its thaw has turned read-only (ThawRisk). Another rescue
/// would mend nothing of it.
std::vector<std::string> explain_read_only(const Record& record);

/// Why the freezer's answer to `kind` was `result` (an errno), by what the record shows: the member or chain to blame first.
Error explain_window(const Record& record, FreezerMessage::Kind kind, std::int32_t result);

} // namespace quiesced
