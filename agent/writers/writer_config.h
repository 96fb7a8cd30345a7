// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// A writer as an admin declares it: one file of /etc/quiesced/writers.d.
struct WriterConfig {
    enum class Type { script, session, unit };
    enum class Method { freeze, stop };

    static constexpr int kOrder = 50;
    static constexpr int kNoOrder = 1000; ///< behind all that can be given
    static constexpr std::chrono::milliseconds kLimit{60000};

    std::string name; ///< of the file, without ".conf"
    Type type = Type::script;
    std::vector<std::string> command; ///< script, session: a full path, and arguments
    std::string unit;                 ///< unit: "app.service"
    Method method = Method::freeze;   ///< unit: its control group is frozen, or it is stopped and started again
    std::vector<std::string> volumes; ///< paths on the volumes that it writes to, absolute; empty: it concerns every set
    int order = kOrder;               ///< 0 to 999; the same number: side by side
    std::chrono::milliseconds limit = kLimit; ///< for each of prepare, freeze and thaw; 1 ms to 1 h
    bool may_fail = false;            ///< on_failure=continue: the set is taken without it, and worth less
};

/// "script", "session", "unit".
std::string type_name(WriterConfig::Type type);

/// Reads the text of a file. Errors: invalid_argument, naming the key or the line.
Result<WriterConfig> parse_writer_config(const std::string& name, const std::string& text);

/// A file of a writers' directory, and what it says or is wrong with it: access_denied (others than root and our own user may change
/// the file, the directory, or the program that it names), invalid_argument, io.
struct WriterFile {
    std::string name; ///< as WriterConfig::name
    std::string path;
    Result<WriterConfig> config;
};

/// All *.conf of a directory, by name; one that is not there is empty. Names of is_ignored_hook() are left out. Errors: io.
Result<std::vector<WriterFile>> survey_writer_configs(const std::string& directory);

/// What they say. Errors: io, and those of the files, naming each. Then none may run, as for read_hook_directory().
Result<std::vector<WriterConfig>> read_writer_configs(const std::string& directory);

} // namespace quiesced
