// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "snapshot/provider.h"

namespace quiesced {

/// Consistency of a member whose snapshot the host was to take and of which it said nothing in time.
inline constexpr const char* kUnreported = "unreported";

/// Consistency of a member whose snapshot was good and is lost since: its store or pool was full.
inline constexpr const char* kLost = "lost";

/// Consistency of a member whose origin was put back to its snapshot, which is gone with that.
inline constexpr const char* kReverted = "reverted";

/// ManifestMember::revert
inline constexpr const char* kRevertPending = "pending"; ///< it begins when the origin is activated the next time
inline constexpr const char* kRevertRunning = "running";
inline constexpr const char* kRevertDone = "done";
inline constexpr const char* kRevertInterrupted = "interrupted"; ///< it was to be put back with others, and is not: its snapshot is still there

/// One member of a set as the manifest and Describe() show it. Times are milliseconds; absent until measured.
struct ManifestMember {
    std::string volume;      ///< Volume::name
    std::string file_system; ///< "ext4"
    std::string uuid;        ///< of the file system
    std::string origin;      ///< device path
    std::string placement;   ///< "virtual", "lun", "mixed"
    std::vector<std::string> evidence;
    std::vector<std::string> mount_points;
    std::vector<std::string> mount_roots; ///< what of it each of these showed: "/" for all of it; none in manifests of before
    std::string provider;
    std::string snapshot;  ///< as SnapshotRecord
    std::string device;    ///< as SnapshotRecord
    std::string reference; ///< as SnapshotRecord
    std::string consistency; ///< "application", "filesystem", "crash", "unreported", "lost", "reverted"
    std::string error;       ///< empty when all went well
    std::string revert;      ///< how far its origin is put back to the snapshot: empty, or one of the words above
    std::optional<double> revert_percent; ///< while that is running
    bool foreign = false;    ///< frozen by somebody else, and accepted
    std::optional<double> flush_ms;  ///< last pre-flush pass
    std::optional<double> flush_total_ms; ///< all passes
    std::optional<double> freeze_ms; ///< how long FIFREEZE took
    std::optional<double> hold_ms;   ///< from the return of FIFREEZE to the start of FITHAW
    std::optional<double> thaw_ms;   ///< how long FITHAW took
    std::optional<double> frozen_at_ms; ///< return of its FIFREEZE, from the start of the window
};

/// What became of an application that was quiesced for the set.
struct ManifestWriter {
    std::string name;
    std::string kind;                 ///< "script", "session", "unit"
    std::vector<std::string> volumes; ///< members that it concerns
    bool quiesced = false;            ///< held quiet from before the window to after it
    std::string error;                ///< why not; empty when all went well
    std::optional<double> freeze_ms;
    std::optional<double> thaw_ms;
    std::map<std::string, std::string> records; ///< what it wants kept: "backup_label" of PostgreSQL, a log's position
};

/// A span of the sequence for the timeline.
struct ManifestSpan {
    std::string what;    ///< "arm", "prime", "freeze", "fire", "commit exec", "thaw", "finish"
    double start_ms = 0; ///< from the start of the window; negative before it
    double length_ms = 0;
};

/// A snapshot set as it is kept on disk; what Describe() returns.
struct Manifest {
    static constexpr int kVersion = 1;
    std::string id;
    std::string state;       ///< a name of State
    std::string consistency; ///< the weakest of the members'
    std::string created;     ///< UTC, ISO 8601
    std::string host;
    std::string kernel;
    std::string error;       ///< message of what failed the set; empty otherwise
    std::vector<std::string> stuck; ///< volumes whose FIFREEZE or FITHAW has not returned
    std::vector<std::string> notes; ///< sentences: what an admin should know although it failed nothing
    std::optional<double> window_ms; ///< start of first FIFREEZE to return of last FITHAW
    std::vector<ManifestMember> members;
    std::vector<ManifestWriter> writers; ///< in the order of their freezes
    std::vector<ManifestSpan> timeline;
};

/// JSON both ways. Unknown keys are ignored; a missing or mistyped known key is an error (io) that names it.
std::string manifest_to_json(const Manifest& manifest);
Result<Manifest> manifest_from_json(const std::string& text);

/// The manifests of finished sets, one file each: <directory>/<id>.json, replaced as a whole and fsynced.
/// Thread-safe as far as the file system is.
class ManifestStore {
public:
    explicit ManifestStore(std::string directory = "/var/lib/quiesced/sets");
    Result<void> save(const Manifest& manifest);
    Result<Manifest> load(const SetId& id) const;
    Result<void> remove(const SetId& id);
    /// Ids by age, oldest first. Files that are no manifests are skipped.
    Result<std::vector<SetId>> list() const;

private:
    std::string directory_;
};

} // namespace quiesced
