// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "writers/outside.h"
#include "writers/writer.h"

namespace quiesced {

/// Which writers of a set may be frozen and what thaws them, in a file <directory>/<set>.writers: whoever comes after a lost
/// daemon thaws them by it. The daemon holds a lock on the file (flock), which the kernel drops with it. One thread.
class WriterRecord {
public:
    /// Errors: kernel with errno.
    static Result<WriterRecord> create(const std::string& directory, const WriterContext& context);
    ~WriterRecord(); ///< removes the file
    WriterRecord(WriterRecord&&) noexcept = default;
    WriterRecord& operator=(WriterRecord&&) = delete;
    WriterRecord(const WriterRecord&) = delete;
    WriterRecord& operator=(const WriterRecord&) = delete;

    /// Replaces what is noted; in the order of the freezes. Before they begin. Errors: kernel with errno.
    Result<void> note(const std::vector<WriterUndo>& undos);

private:
    WriterRecord(std::string path, UniqueFd file, WriterContext context);

    std::string path_;
    UniqueFd file_;
    WriterContext context_;
};

/// What a record says.
struct LostWriters {
    WriterContext context; ///< aborted
    std::vector<WriterUndo> undos;
};

/// Reads the content of a record. Errors: io.
Result<LostWriters> parse_writer_record(const std::string& text);

struct WriterRecovery {
    std::string set;
    std::vector<std::string> thawed; ///< names of writers
    std::vector<std::string> failed; ///< a sentence each
};

class Units;

/// Thaws, in reverse order and once, what the records of lost daemons name, and removes those. Those of a daemon that lives are left
/// alone. Blocking: for each writer at most its limit. Errors: kernel (the directory cannot be read).
Result<std::vector<WriterRecovery>> recover_writers(const std::string& directory, Units& units, const Outside& outside = Outside());

} // namespace quiesced
