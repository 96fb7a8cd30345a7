// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "freeze/freezer_keeper.h"
#include "sequence/plan_report.h"
#include "sequence/snapshot_set.h"
#include "sequence/space_watch.h"
#include "sequence/write_history.h"
#include "sequence/writer_history.h"
#include "volumes/inventory_cache.h"
#include "volumes/match_verdicts.h"

namespace quiesced {

/// What the bus and the log want to know of the sets. Called from the sets' threads.
class SetEvents {
public:
    virtual ~SetEvents() = default;
    virtual void set_added(const std::shared_ptr<SnapshotSet>& set) = 0;
    virtual void set_removed(const SetId& set) = 0;
    /// A set that was lost with an earlier daemon, or failed and could not be undone completely, was undone; `error` says what
    /// could not be (it is tried again), empty otherwise.
    virtual void set_abandoned(const SetId& set, const std::string& error) {
        static_cast<void>(set);
        static_cast<void>(error);
    }
    /// There are snapshots of a set without a manifest, and it could not be rebuilt: a sentence for the log.
    virtual void set_not_rebuilt(const SetId& set, const std::string& reason) {
        static_cast<void>(set);
        static_cast<void>(reason);
    }
    /// A set is further on in what takes long; never told in its window.
    virtual void progress(const SetId& set, const SetProgress& progress) {
        static_cast<void>(set);
        static_cast<void>(progress);
    }
    /// Something of a set that an admin should know and that fails nothing: a sentence, which is in its manifest's notes.
    virtual void set_noted(const SetId& set, const std::string& sentence) {
        static_cast<void>(set);
        static_cast<void>(sentence);
    }
    /// Where the snapshots of all complete sets live, each time that somebody has looked; never in a window.
    virtual void space_seen(const std::map<SetId, std::vector<Fill>>& fills) { static_cast<void>(fills); }
    /// The place of a snapshot of a complete set has reached a level.
    virtual void space_low(const SetId& set, const SpaceLevel& level) {
        static_cast<void>(set);
        static_cast<void>(level);
    }
    /// The place of a snapshot was made larger.
    virtual void space_extended(const SetId& set, const Fill& fill, const Extension& extension) {
        static_cast<void>(set);
        static_cast<void>(fill);
        static_cast<void>(extension);
    }
    /// It should have been, and could not; told once for each reason.
    virtual void space_not_extended(const SetId& set, const Fill& fill, const std::string& reason) {
        static_cast<void>(set);
        static_cast<void>(fill);
        static_cast<void>(reason);
    }
    /// A snapshot of a complete set is lost; told once.
    virtual void snapshot_lost(const SetId& set, const Fill& fill) {
        static_cast<void>(set);
        static_cast<void>(fill);
    }
    /// Volumes of a complete set were put back to its snapshots, as far as the set's description says now.
    virtual void set_reverted(const SetId& set, const Manifest& manifest) {
        static_cast<void>(set);
        static_cast<void>(manifest);
    }
    /// A revert of a complete set was cut off: what became of it.
    virtual void revert_cut_off(const SetId& set, const RevertNews& news) {
        static_cast<void>(set);
        static_cast<void>(news);
    }
    /// After a change; `error` is empty unless the set failed.
    virtual void state_changed(const SetId& set, State state, const std::string& consistency, const std::string& error) = 0;
};

struct SetManagerOptions {
    SetEnvironment environment;
    SystemPaths paths;
    std::shared_ptr<InventoryCache> inventory; ///< null: `paths` are read at each use
    HostPaths host;
    SetOptions defaults; ///< for requestors that do not say otherwise
    std::size_t most_unfinished = 16;
    unsigned extend_at = 0;  ///< percent of fill from which on the place of a snapshot is made larger; 0: never
    unsigned extend_by = 50; ///< percent of its size by which
    std::size_t most_of_a_caller = 4; ///< unfinished: of a connection, and of a user who is not root
    std::shared_ptr<PlacementVerdicts> verdicts = std::make_shared<PlacementVerdicts>(); ///< never null
    std::chrono::milliseconds undo_again{5000}; ///< after which an undo that failed is tried again; doubled each time, to 5 minutes
};

struct MatchOptions {
    bool remember = true; ///< the types that are said overrule our guesses from now on
    bool forget = false;  ///< what was said before
};

/// What MatchDisks found, and the inventory that it speaks of.
struct MatchReport {
    std::vector<DiskMatch> matches;
    Inventory inventory;
};

/// A writer as it is configured, and what became of it the last time.
struct WriterStatus {
    ConfiguredWriter writer;
    std::optional<WriterUse> last; ///< none: of no set that is known
};

/// All sets of this guest: unfinished ones, and those on disk. Thread-safe.
class SetManager {
public:
    using Providers = std::function<std::vector<std::shared_ptr<Provider>>()>;

    /// `providers` is asked at each use: plugins come and go. Plugins first.
    SetManager(SetManagerOptions options, Providers providers, SetEvents& events);
    ~SetManager();

    /// Brings the complete sets on disk back, and removes in the background what unfinished ones, lost with an earlier
    /// daemon, have made; goes on with reverts that were cut off; then looks for snapshots whose manifest is lost, and rebuilds it. Errors: io.
    Result<void> load();

    /// From now on tells the events of the space of complete sets. Once.
    void watch_space(std::unique_ptr<DmEvents> events);

    /// Reads the inventory afresh. May take as long as a plugin's claim.
    Result<std::shared_ptr<SnapshotSet>> create(const std::vector<std::string>& volumes, const SetOptions& options);
    /// With what the hypervisor said of the disks. Read again only if something has changed.
    Result<Inventory> inventory() const;
    /// Errors: invalid_argument ("disk 3: ..."), and as PlacementVerdicts::record(); then nothing is remembered.
    Result<MatchReport> match(const std::vector<DiskClaim>& claims, const MatchOptions& options);
    /// What create() and the set's steps would do; see make_plan_report(). Takes as long as create() and the sample.
    Result<PlanReport> plan(const std::vector<std::string>& volumes, const PlanOptions& options, const std::stop_token& stop = {}) const;

    /// All writers that are configured now, in the order of their freezes. Reads their files.
    [[nodiscard]] std::vector<WriterStatus> writers() const;

    [[nodiscard]] SetOptions defaults() const;
    /// Changes limits, defaults, writers and the flush's bound for the sets to come; not the store, kernel, inventory, verdicts.
    /// Errors: busy, while a set is unfinished; then `change` is not called.
    Result<void> reconfigure(const std::function<void(SetManagerOptions&)>& change);

    [[nodiscard]] std::vector<std::shared_ptr<SnapshotSet>> sets() const;
    [[nodiscard]] std::shared_ptr<SnapshotSet> find(const SetId& id) const;
    /// Some set is in its window: hold back log lines.
    [[nodiscard]] bool in_window() const;

    /// SnapshotSet::revert(), unless another set holds one of the volumes. `done` as there.
    void revert(const std::shared_ptr<SnapshotSet>& set, const std::vector<std::string>& members, SnapshotSet::Done done,
                std::shared_ptr<RevertWatch> watch = std::make_shared<RevertWatch>());

    /// Forgets a set that was removed, or failed; may be called from the set's own threads. A `Done` or observer must not
    /// hold the last reference to a set beyond this call.
    void forget(const SetId& id);

private:
    SnapshotSet::StateObserver observer(const SetId& id);
    Result<void> check_free(const SetPlan& plan, const SetOwner& owner) const;
    [[nodiscard]] std::optional<Error> held(const Volume& volume) const;
    [[nodiscard]] Result<Inventory> overruled(const Result<std::shared_ptr<const Inventory>>& read) const;
    void add_complete(const SetId& id, Manifest manifest);
    void rebuild(const std::vector<SetId>& known);
    [[nodiscard]] std::map<SetId, std::vector<Fill>> fills();
    void space_low(const SetId& id, const SpaceLevel& level);
    void snapshot_lost(const SetId& id, const Fill& fill);
    [[nodiscard]] std::optional<unsigned> extend_at() const;
    bool extend(const SetId& id, const Fill& fill);
    [[nodiscard]] Result<void> check_unused(const SnapshotSet& set, const std::vector<std::string>& members) const;
    void resume_revert(SnapshotSet& set);
    std::string abandon(const SetId& id, const Manifest& manifest);
    void undo_later(const SetId& id, std::chrono::milliseconds delay);

    FreezerKeeper keeper_; ///< before the sets: outlives them
    SetManagerOptions options_; ///< what reconfigure() may change: under mutex_
    Providers providers_;
    SetEvents& events_;
    mutable WriteHistory history_;
    WriterHistory writer_history_;
    mutable std::mutex mutex_;
    std::map<SetId, std::shared_ptr<SnapshotSet>> sets_;
    std::map<std::string, std::string> not_extended_; ///< reason told, by the place's name; of the watch's thread
    Executor reaper_; ///< destroys forgotten sets: one cannot end its own threads
    Executor undo_;   ///< tries again what could not be undone; its thread uses all of the others
    std::unique_ptr<SpaceWatch> watch_; ///< last: its thread looks at the sets; set once, before any set is made
};

} // namespace quiesced
