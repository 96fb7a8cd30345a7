// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "freeze/dm_chain.h"
#include "snapshot/fill.h"
#include "snapshot/store_policy.h"
#include "volumes/inventory.h"
#include "volumes/volume.h"

namespace quiesced {

/// The snapshot of one member, as the manifest keeps it.
struct SnapshotRecord {
    std::string volume;    ///< Volume::name of the member
    std::string provider;  ///< Provider::name()
    std::string snapshot;  ///< what an admin calls it: "vg/lv-q1a2b3c4", or the array's name; empty where others say it
    std::string device;    ///< device to mount: "/dev/vg/...", "/dev/disk/by-id/wwn-..."; empty while not mapped
    std::string reference; ///< the provider's own note, which it gets back on remove(); JSON
};

/// A snapshot that a provider has of some set, known by what it wrote on it.
struct FoundSnapshot {
    SetId set;
    SnapshotRecord record;
    std::string file_system;
    std::string origin; ///< path of its device; empty where unknown
    bool cut = false;   ///< with its whole set, which was good
};

/// What a provider says of one volume that it was asked about.
struct Claim {
    bool taken = false;
    std::string reason;         ///< why it takes it or not, a sentence without its full stop
    std::optional<Error> error; ///< it could not find out; then it is not taken
};

/// Room that a set's snapshots need in one place.
struct SpaceNeed {
    std::string kind;                 ///< "volume-group", "thin-pool", "array"
    std::string name;                 ///< "vg", "vg/pool", a plugin's name
    std::vector<std::string> volumes; ///< Volume::name of the members concerned
    std::string text;                 ///< what is needed and what is there, a sentence without its full stop
    std::optional<Error> refusal;     ///< why there is not enough
    std::optional<Bytes> needed;      ///< these are set where they are known
    std::optional<Bytes> free;
    std::optional<Bytes> size;
    std::optional<double> data_percent; ///< fill of a thin pool
    std::optional<double> metadata_percent;
    std::optional<double> metadata_limit; ///< from which fill on no snapshot is taken
};

/// What arm() would need.
struct Estimate {
    std::vector<SpaceNeed> space;
    std::map<std::string, Bytes> stores; ///< size of the copy-on-write store of each member that gets one, by Volume::name
};

/// The place of a snapshot before and after Provider::extend().
struct Extension {
    Bytes from;
    Bytes to; ///< as `from`: it needs no more, or somebody else looks after it
};

/// How far the snapshot of a member is merged back into its origin.
struct Merge {
    enum class Progress {
        none,
        pending, ///< it begins when the origin is activated the next time
        running,
        done,    ///< the origin is what the snapshot was, which is gone
    };
    Progress progress = Progress::none;
    bool in_use = false; ///< of one that is none: somebody has the origin open
    bool left_over = false; ///< of one that is done: its snapshot, which is none any more, is still there for remove()
    std::optional<double> percent; ///< of one that is running, 0 to 100, as far as that is known
};

/// One provider's part in one set, from Prepare to Finish. Called from one thread at a time.
/// Order: arm, chains, commit, finish; disarm at any point and more than once.
class ProviderSession {
public:
    virtual ~ProviderSession() = default;

    /// What arm() would need, found out without changing anything; any time before it. Errors: those of arm().
    virtual Result<Estimate> estimate() { return Estimate{}; }

    /// Before the freeze: checks the space of all its members first, then reserves their snapshots. On error nothing is
    /// left behind. Errors: no_space, lvm_failed, plugin_*, busy.
    virtual Result<void> arm() = 0;

    /// The dm work of prime and fire for its members; after arm. Plugins have none.
    [[nodiscard]] virtual std::vector<DmChain> chains() const { return {}; }

    /// Its snapshots take room from volume groups that other providers may take from as well: arm() checks its own alone.
    [[nodiscard]] virtual bool makes_stores() const { return false; }

    /// commit() has nothing to do: all cuts are chains, or somebody else's.
    [[nodiscard]] virtual bool chains_only() const { return false; }

    /// Inside the window, while the freezer fires the chains: cuts what is not cut by dm. Must not touch a file
    /// outside /run, exec, or log. Returns before `deadline`. Errors: plugin_failed, deadline.
    virtual Result<void> commit(Monotonic::time_point deadline) {
        static_cast<void>(deadline);
        return {};
    }

    /// After the thaw: confirms, maps, and says what was made, one record a member in the members' order.
    virtual Result<std::vector<SnapshotRecord>> finish() = 0;

    /// Removes everything that arm, commit and finish made. Never called while frozen or primed. Returns the
    /// failure of what is left, named.
    virtual Result<void> disarm() = 0;
};

/// What takes the snapshot of members. Thread-safe.
class Provider {
public:
    virtual ~Provider() = default;

    /// "lvm", "exec", ...
    [[nodiscard]] virtual std::string name() const = 0;

    /// arm() freezes the origins by itself, and leaves something half made where somebody else holds one frozen: it must not be
    /// tried then. See find_foreign_freeze().
    [[nodiscard]] virtual bool arm_needs_thawed() const { return false; }

    /// It takes only volumes for which the requestor chose it.
    [[nodiscard]] virtual bool only_on_request() const { return false; }

    /// Which of these volumes it can take: an answer for each, in their order. Changes nothing. May ask a plugin (up to
    /// its claim budget).
    virtual std::vector<Claim> claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) = 0;

    /// Begins its part of a set; the volumes are those it claimed and the caller chose. Copies what it needs.
    virtual Result<std::unique_ptr<ProviderSession>> begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                           const Inventory& inventory, const SnapshotWishes& wishes) = 0;

    /// Makes the snapshots' devices ready to be mounted, also after the machine was booted anew. Returns the records as they are
    /// now: a device may have another path. Errors: lvm_failed, no_such_volume (a snapshot is gone), no_space (it is lost because
    /// its store was full), plugin_*.
    virtual Result<std::vector<SnapshotRecord>> map(const SetId& set, std::vector<SnapshotRecord> records) {
        static_cast<void>(set);
        return records;
    }

    /// How full the places are in which finished snapshots live, as far as the kernel tells; runs no program.
    [[nodiscard]] virtual std::vector<Fill> fills(const std::vector<SnapshotRecord>& records) const {
        static_cast<void>(records);
        return {};
    }

    /// Makes the place of a finished snapshot larger, by so many percent of what it has; less where there is less room. Never called
    /// while a window is open. Errors: no_space (there is no room at all), no_such_volume (the snapshot is gone), unsupported, lvm_failed.
    virtual Result<Extension> extend(const SnapshotRecord& record, const Fill& fill, unsigned percent) {
        static_cast<void>(percent);
        return fail(ErrorKind::unsupported, name() + " cannot extend " + fill.name + " of the snapshot of " + record.volume);
    }

    /// Whether revert() would put origins back to what these snapshots hold; changes nothing. Errors: unsupported, busy (a snapshot is
    /// mounted, or another one is merged into its origin), no_space (one is lost), no_such_volume (one is gone), lvm_failed.
    virtual Result<void> check_revert(const SetId& set, const std::vector<SnapshotRecord>& records) {
        static_cast<void>(set);
        return fail(ErrorKind::unsupported, "the snapshot of " + (records.empty() ? "a member" : records.front().volume) + " is one of '" + name() +
                                                "', which puts no volume back to its snapshot from here", "Do it where the snapshot is.");
    }

    /// Begins to do that; see merges() for the end. Never called while a window is open. Errors: those of check_revert().
    virtual Result<void> revert(const SetId& set, const std::vector<SnapshotRecord>& records) { return check_revert(set, records); }

    /// How far they are, in their order. Errors: lvm_failed.
    virtual Result<std::vector<Merge>> merges(const SetId& set, const std::vector<SnapshotRecord>& records) {
        static_cast<void>(set);
        return std::vector<Merge>(records.size());
    }

    /// All snapshots of any set that it can find without a manifest, one entry a member. Errors: lvm_failed.
    virtual Result<std::vector<FoundSnapshot>> find_all() { return std::vector<FoundSnapshot>{}; }

    /// Removes finished snapshots of a set, from their records. Records already gone are no error.
    virtual Result<void> remove(const SetId& set, const std::vector<SnapshotRecord>& records) = 0;

    /// Removes whatever a set has made that was lost half-way with its daemon: nothing is known of it but its id.
    /// Nothing there is no error.
    virtual Result<void> abandon(const SetId& set) = 0;
};

} // namespace quiesced
