// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string>

#include "fuzz/target.h"
#include "writers/session_writer.h"
#include "writers/writer_config.h"
#include "writers/writer_record.h"

namespace quiesced::fuzz {

void run_writer_config(std::string_view input) {
    const auto config = parse_writer_config("x", std::string(input));
    if (!config) {
        require(!config.error().context.empty(), "an error says what happened");
        return;
    }
    require(config->type == WriterConfig::Type::unit ? !config->unit.empty() && config->command.empty()
                                                     : !config->command.empty() && config->command.front().starts_with('/'),
            "a program is a full path, and a unit has a name");
    require(config->limit.count() >= 1 && config->order >= 0, "limit and order are in their ranges");
    for (const auto& path : config->volumes) require(path.starts_with('/'), "a volume is an absolute path");
}

void run_session_answer(std::string_view input) {
    const auto answer = parse_session_answer(input);
    if (!answer) require(answer.error().message().size() < 1000, "what is shown is short");
    else for (const auto& [key, value] : answer->records) require(value.size() <= 64UL * 1024, "a record has its limit");
}

void run_writer_record(std::string_view input) {
    const auto lost = parse_writer_record(std::string(input));
    if (!lost) return;
    require(lost->context.aborted, "nobody has a snapshot of a lost set");
    for (const auto& undo : lost->undos) require(undo.limit.count() >= 1 && undo.limit.count() <= 3'600'000, "a limit is in its range");
}

} // namespace quiesced::fuzz
