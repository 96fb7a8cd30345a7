// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/limit.h"
#include "base/result.h"

namespace quiesced {

class Inventory;

/// A writer could not be run, or said that it failed.
inline constexpr ErrorKind kWriterFailed = ErrorKind::writer_failed;

/// What a writer is told.
struct WriterContext {
    std::string set;                  ///< id of the snapshot set
    std::vector<std::string> volumes; ///< its members, as the requestor sees them: mount points, devices
    bool aborted = false;             ///< in a thaw: the set was given up, there is no snapshot
};

/// A writer that is there, for people.
struct WriterEntry {
    std::string name;
    std::string kind;                 ///< "script", "session", "unit"
    std::string path;                 ///< of the program; the name of the unit
    std::vector<std::string> volumes; ///< members that it concerns
};

/// A writer as it is configured, whether it concerns a set or not.
struct ConfiguredWriter {
    std::string name;                 ///< of its file
    std::string kind;                 ///< as WriterEntry; empty where the file says none that can be read
    std::string path;                 ///< as WriterEntry
    std::string file;                 ///< that configures it; a script of the hooks directory is that itself
    std::vector<std::string> volumes; ///< paths on the volumes that it writes to; none: it concerns every set
    std::string method;               ///< "freeze", "stop" of a unit; else empty
    std::optional<int> order;         ///< none: a script of the hooks directory, before all that have one
    std::chrono::milliseconds limit{0};
    bool may_fail = false;            ///< the set goes on without it
    std::string ignored;              ///< why it does not run although it looks like a writer, a sentence
    std::optional<Error> error;       ///< why it is refused; then no set is taken
};

/// What a freeze() would run.
struct WriterList {
    std::vector<WriterEntry> writers;  ///< in the order of their freezes
    std::vector<std::string> left_out; ///< what looks like a writer and would not run, a line each
};

/// What became of a writer in a set.
struct WriterReport {
    std::string name;
    std::string kind;                 ///< as WriterEntry
    std::vector<std::string> volumes; ///< members that it concerns
    bool quiesced = false;            ///< it was held quiet from before the window to after it
    bool raises = true;               ///< its members are worth "application" then
    std::string error;                ///< why not quiesced; empty when all went well
    std::optional<double> freeze_ms;
    std::optional<double> thaw_ms;
    std::map<std::string, std::string> records; ///< what it wants kept with the snapshots: a backup label, a log position
};

/// What thaws a writer whose daemon was lost; kept below /run while it is frozen (WriterRecord).
struct WriterUndo {
    std::string kind;              ///< "script", "unit-thaw", "unit-start"; empty: it ends with the daemon, by itself
    std::string name;              ///< of the writer
    std::vector<std::string> what; ///< the script's command; the unit
    std::chrono::milliseconds limit{60000};
};

/// What a prepare() or freeze() says that was called off.
inline tl::unexpected<Error> writer_called_off(const std::string& what) {
    return fail(ErrorKind::wrong_state, what + " was ended in the middle: the set is given up");
}

/// One application that writes to the volumes and can be quiesced. One thread at a time. Blocking: never called inside
/// the window, where a program on a frozen file system would hang and take its deadline with it.
///
/// A limit that is called off ends prepare() and freeze() at once, give or take a kill (wrong_state). The thaw, which then follows, is never called off.
class Writer {
public:
    Writer() = default;
    /// Ends what prepare() began.
    virtual ~Writer() = default;
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    [[nodiscard]] virtual const std::string& name() const = 0;

    /// What can be done long before the freeze: log in, look whether all is there. Called at most once, before freeze().
    virtual Result<void> prepare(const WriterContext& /*context*/, const Limit& /*limit*/) { return {}; }

    /// Brings the application to a consistent state on its volumes and holds it there. Returns by the limit, give or
    /// take a kill.
    virtual Result<void> freeze(const WriterContext& context, const Limit& limit) = 0;

    /// Lets the application go on. Called exactly once after each freeze(), also after one that failed: a writer that
    /// was killed half-way may hold locks. A writer whose freeze never began has nothing to do and succeeds. An error
    /// also when the application had not been held to the end, although it runs again.
    virtual Result<void> thaw(const WriterContext& context, const Limit& limit) = 0;

    /// After the thaw: WriterReport::records.
    [[nodiscard]] virtual std::map<std::string, std::string> records() const { return {}; }

    /// What thaws it when this process is lost.
    [[nodiscard]] virtual WriterUndo undo() const { return {}; }
};

/// The writers of one snapshot set. One object a set; one thread at a time, but cancel().
class Writers {
public:
    Writers() = default;
    /// Thaws, as aborted, what still is frozen, and waits for it.
    virtual ~Writers() = default;
    Writers(const Writers&) = delete;
    Writers& operator=(const Writers&) = delete;

    /// What a set of these members would run now, without running it. Errors: those that prepare() would have before the
    /// first.
    [[nodiscard]] virtual Result<WriterList> list(const std::vector<std::string>& /*volumes*/, const Inventory& /*inventory*/) const {
        return WriterList{};
    }

    /// All that are configured now, in the order of their freezes; those of which that is not known come last.
    [[nodiscard]] virtual std::vector<ConfiguredWriter> configured() const { return {}; }

    /// Finds the writers that concern the set, and prepares them. `inventory` says where their volumes are. An error leaves
    /// nothing prepared. Errors: access_denied, invalid_argument, io, no_such_volume (their configuration), and the writers'.
    virtual Result<void> prepare(const WriterContext& /*context*/, const Inventory& /*inventory*/) { return {}; }

    /// Freezes all that were prepared, in order. Call it before the pre-flush, so that what the writers write is flushed too.
    /// Returns how many froze; 0 without writers. On an error everything is thawed again, and Error::undone names the thaws
    /// that failed. Errors: wrong_state (frozen already, or cancelled), deadline (a writer's limit passed), and the writers'.
    virtual Result<std::size_t> freeze(const WriterContext& context) = 0;

    /// Thaws in reverse order what freeze() began, each exactly once, and ends what prepare() began; one failure does not stop the others. Call it when
    /// the last FITHAW has returned. Returns what failed, a message each; nothing when there is nothing to thaw.
    virtual std::vector<std::string> thaw(const WriterContext& context) = 0;

    /// Any thread: a prepare() or freeze() under way starts no more writers, ends those that are at work (their process groups or units are
    /// killed), thaws and fails; one to come fails at once. After a freeze() that succeeded it changes nothing: thaw().
    virtual void cancel() = 0;

    /// What the last prepare() and freeze() left out and why, for the log and the manifest: a line each.
    [[nodiscard]] virtual std::vector<std::string> notes() const = 0;

    /// What became of each, in the order of their freezes; complete after thaw(), or a prepare() that failed.
    [[nodiscard]] virtual std::vector<WriterReport> report() const { return {}; }
};

} // namespace quiesced
