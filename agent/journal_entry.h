// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/log_ring.h"

namespace quiesced {

/// What a line of the log is about; empty: nothing of it.
struct LogFields {
    std::string_view set;    ///< QUIESCED_SET
    std::string_view volume; ///< QUIESCED_VOLUME
    std::string_view state;  ///< QUIESCED_STATE
};

/// As LogRing keeps them: "QUIESCED_SET=...", each with a line break.
std::string pack_fields(const LogFields& fields);

/// The fields of the journal's entry for a line, "MESSAGE=...", as sd_journal_sendv(3) takes them. `priority` is syslog's, 0 to 7;
/// `text` is what is shown.
std::vector<std::string> journal_entry(const LogRing::Line& line, int priority, const std::string& text);

} // namespace quiesced
