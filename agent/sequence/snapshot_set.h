// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "freeze/freezer_client.h"
#include "freeze/freezer_keeper.h"
#include "sequence/executor.h"
#include "sequence/freeze_plan.h"
#include "sequence/host_reports.h"
#include "sequence/journal.h"
#include "sequence/lease.h"
#include "sequence/planner.h"
#include "sequence/revert_news.h"
#include "sequence/revert_watch.h"
#include "sequence/state.h"
#include "sequence/timeline.h"
#include "sequence/undo_stack.h"
#include "sequence/window_gate.h"
#include "snapshot/manifest.h"
#include "writers/writer.h"

namespace quiesced {

/// How far a set is in what takes long.
struct SetProgress {
    const char* step = "";   ///< "arm", "flush", "cut", "confirm"
    std::string member;      ///< it, or for "flush" a volume that is frozen along, is done
    std::uint32_t done = 0;  ///< with it
    std::uint32_t total = 0;
};

/// What a set tells beside its states: from its threads, and never between the first FIFREEZE and the last FITHAW. Each may be empty.
struct SetTelling {
    std::function<void(const SetId&, const SetProgress&)> progress = {};
    std::function<void(const SetId&, const std::string&)> note = {}; ///< a sentence for its notes
    std::function<void(const SetId&, const RevertNews&)> revert = {}; ///< of one that was cut off
};

/// What a set needs from outside; all of it outlives the sets.
struct SetEnvironment {
    std::function<std::unique_ptr<FreezerLauncher>()> make_launcher;
    std::function<WindowKernel()> make_kernel;
    std::function<std::unique_ptr<Writers>()> make_writers; ///< may be empty: no writers
    ManifestStore* store = nullptr;
    MountOpener open_mount = quiesced::open_mount;
    std::string record_directory = "/run/quiesced";
    std::chrono::milliseconds flush_bound{30000}; ///< for the pre-flush
    std::shared_ptr<Journal> journal;  ///< may be null: the system's journal is left as it is
    std::shared_ptr<WindowGate> gate = std::make_shared<WindowGate>(); ///< of all sets; never null
    FreezerKeeper* keeper = nullptr;   ///< gets what is stuck in the kernel; null: it is left with its record
    FreezerClient::Options freezer = {}; ///< but for its directory
    SetTelling telling = {};
};

struct SetOptions {
    std::chrono::milliseconds deadline{10000}; ///< from the start of the first FIFREEZE; 100 ms to 10 min
    std::chrono::milliseconds member_limit{0}; ///< for one FIFREEZE; 0: the deadline alone
    std::chrono::milliseconds prepare_limit{600000}; ///< from Prepare to Freeze, then it is aborted; 0: none
    bool accept_foreign_freeze = false;        ///< a member that somebody else froze counts as frozen
    bool relinquish_journal = true;            ///< keep the journal in /run for the window when it lies on a member
    ProviderChoice providers = {};             ///< went into the plan
    SnapshotWishes wishes = {};                ///< for the providers
    SetOwner owner = {};
};

/// One step of the sequence, as a requestor asks for it.
enum class Step { prepare, freeze, snapshot, thaw, finish, take, abort, map, remove };

/// One snapshot set and its sequence: the coordinator. Decides what happens in which order and what undoes it; how is the
/// business of the planner, the providers and the freezer.
///
/// post() may be called from any thread and returns at once. Ordinary steps run one after another on the set's own
/// thread; abort, and a loss reported by the freezer, run on a second one and interrupt them.
class SnapshotSet {
public:
    using Done = std::function<void(Result<void>)>;
    using StateObserver = std::function<void(State)>;

    /// A new set. `observer` is called from the set's threads after each change of state; during
    /// Step::take those of the window are announced when all is thawed, in their order.
    SnapshotSet(SetId id, SetPlan plan, SetOptions options, SetEnvironment environment, StateObserver observer);
    /// A finished set from disk; only Step::map, Step::remove and describe() make sense. `providers` are those it may need.
    SnapshotSet(SetId id, Manifest manifest, std::vector<std::shared_ptr<Provider>> providers, SetEnvironment environment,
                StateObserver observer);
    ~SnapshotSet(); ///< aborts an unfinished set and waits for it
    SnapshotSet(const SnapshotSet&) = delete;
    SnapshotSet& operator=(const SnapshotSet&) = delete;

    /// Starts a step; `done` is called once, from one of the set's threads. Errors: wrong_state and what the step brings.
    void post(Step step, Done done);

    /// Moves the deadline while frozen; waits for the freezer's answer (microseconds). Returns the time to it.
    Result<std::chrono::milliseconds> keep_alive();

    /// The host has taken the snapshot of a member that was left to it: what it is called there. From Freeze's answer to the
    /// beginning of Thaw; may be called from any thread, and again. Errors: no_such_volume (no member, or not left to the
    /// host), invalid_argument (1 to 1024 bytes), wrong_state.
    Result<void> report_host_snapshot(const std::string& volume, const std::string& reference);

    /// Of a complete set: how full the places of its snapshots are, as far as that is known. Any thread; runs no program.
    [[nodiscard]] std::vector<Fill> fills() const;
    /// Its snapshots may be going now, by Delete or another step, or are gone: then what looks lost need not be. Any thread.
    [[nodiscard]] bool being_removed() const;
    /// The snapshot of a member is lost for the reason given: the set's and the member's consistency become "lost", on disk as well.
    /// Returns whether that is news. Errors: io (it is marked all the same, until the daemon ends).
    Result<bool> mark_lost(const Fill& fill);

    /// Makes the place of a snapshot of this complete set larger. Any thread, with a change's pass of the gate. Errors: busy (a step is
    /// running), wrong_state, and as Provider::extend().
    Result<Extension> extend(const Fill& fill, unsigned percent);

    /// Puts the volumes of these members, or all without any, back to their snapshots, which are gone then. What is in use begins when
    /// it is activated the next time; all else is waited for. A member that is done or pending already is only looked at again. Without
    /// members, and with some of which a revert was interrupted: those alone, since it goes on with them.
    /// `watch` is told of the merges that are waited for; it may give all up until they begin, which is the error wrong_state.
    /// `done` as in post(). Errors: wrong_state, no_such_volume (no member), unsupported (the snapshot is not in this guest), no_space (a
    /// snapshot is lost), invalid_argument (another member lies on the same device), busy, plugin_missing, lvm_failed, io.
    void revert(std::vector<std::string> members, Done done, std::shared_ptr<RevertWatch> watch = std::make_shared<RevertWatch>());
    /// Some origin is to be put back when it is activated, or may have been meanwhile: refresh_merges() tells.
    [[nodiscard]] bool merge_pending() const;
    /// Asks how far such origins are. Errors: plugin_missing, lvm_failed, io.
    void refresh_merges(Done done);
    /// A revert may have been cut off with an earlier daemon: resume_revert() finds out.
    [[nodiscard]] bool revert_unfinished() const;
    /// Looks after it, and tells what it finds. Nothing had begun: nothing is changed, and it is over. Else what had not begun is
    /// put back as well and waited for, but for what is in use: that may have been written to for long, and is left to an admin as
    /// interrupted, as is all that cannot be put back. `done` is told whether a member's word is another one now.
    void resume_revert(std::function<void(bool changed)> done);

    [[nodiscard]] const SetId& id() const { return id_; }
    [[nodiscard]] const SetOwner& owner() const { return options_.owner; }
    [[nodiscard]] State state() const;
    [[nodiscard]] std::string consistency() const;
    [[nodiscard]] std::vector<std::string> volumes() const;
    [[nodiscard]] Manifest describe() const;
    [[nodiscard]] Lease lease() const;
    /// Superblocks it freezes, while it is unfinished.
    [[nodiscard]] std::vector<DeviceNumber> held_superblocks() const;

private:
    struct Part { ///< one provider's share
        std::shared_ptr<Provider> provider;
        std::vector<std::size_t> members;
        std::unique_ptr<ProviderSession> session;
        std::optional<Timeline::Span> commit; ///< when a plugin cut
    };

    Result<void> run(Step step);
    Result<void> prepare();
    Result<void> arm_all();
    Result<void> check_shared_space();
    Result<void> check_thawed();
    void relinquish_journal();
    void flush_journal();
    void note(std::string sentence);
    void tell_notes();
    void tell_progress(const char* step, const std::vector<std::size_t>& members);
    void tell_cuts();
    Result<void> flush(FreezerClient& client);
    void watch_flush(std::vector<bool> told);
    void let_go(std::shared_ptr<FreezerClient> client);
    Result<void> freeze();
    Result<void> snapshot();
    Result<void> thaw();
    Result<void> finish();
    Result<void> take();
    Result<void> abort(Error cause);
    Result<void> unwind(const Error& cause);
    Result<void> remove();
    Result<void> map();
    /// What one provider has made of a complete set.
    struct Share {
        std::shared_ptr<Provider> provider;
        std::vector<std::size_t> members;
        std::vector<SnapshotRecord> records;
    };
    [[nodiscard]] Result<std::vector<Share>> shares() const;
    [[nodiscard]] Result<std::vector<Share>> shares_of(const std::vector<std::size_t>& members) const;
    Result<void> revert_now(const std::vector<std::string>& members, RevertWatch& watch);
    [[nodiscard]] Result<std::vector<std::size_t>> choose_to_revert(const std::vector<std::string>& members) const;
    Result<void> begin_merges(const std::vector<Share>& shares, RevertWatch& watch);
    Result<void> settle_failed(const std::vector<std::size_t>& members, const std::vector<std::string>& words, Error error);
    Result<void> follow_merges(const std::vector<std::size_t>& members, const RevertWatch& watch);
    using Merges = std::map<std::size_t, Merge>; ///< by member
    /// What a look has brought to light of members whose merge was noted as pending or running.
    struct Unmerged {
        bool cleared = false;     ///< nothing had begun
        bool interrupted = false; ///< others have
    };
    [[nodiscard]] std::vector<std::size_t> members_under_way() const;
    [[nodiscard]] std::vector<std::string> revert_words(const std::vector<std::size_t>& members) const;
    [[nodiscard]] Result<Merges> ask_merges(const std::vector<std::size_t>& members) const;
    Result<void> remove_left_over(Merges& merges) const;
    [[nodiscard]] bool any_begun(const Merges& merges) const;
    Result<Unmerged> look_at_merges();
    Result<void> look_and_tell();
    void resume_now();
    std::string leave_alone(const std::vector<std::size_t>& members);
    Result<void> begin_rest(const std::vector<std::size_t>& members);
    void tell_revert(RevertNews::Kind kind, std::string sentence) const;
    void tell_cleared() const;
    void tell_interrupted(const std::string& why) const;
    void set_following(bool following);
    Result<void> save_members(const std::function<void(Manifest&)>& change);
    Result<void> expect(State state, const char* step) const;
    Result<void> refuse_host_members() const;
    Result<void> fail_step(Result<void> result);
    std::vector<Timeline::Span> note_commits();
    Result<void> prepare_writers();
    Result<void> freeze_writers();
    Result<void> thaw_writers(bool aborted);
    void on_loss(const WindowLoss& loss);
    void set_state(State state);
    void hold_announcements();
    void announce_held();
    [[nodiscard]] std::shared_ptr<FreezerClient> freezer() const;

    const SetId id_;
    const SetOptions options_;
    const SetEnvironment environment_;
    const StateObserver observer_;
    SetPlan plan_;
    std::vector<Part> parts_;
    std::vector<std::shared_ptr<Provider>> providers_; ///< of a set from disk
    std::unique_ptr<Writers> writers_; ///< null without; set once, at construction
    std::size_t writers_frozen_ = 0;
    bool journal_relinquished_ = false; ///< under step_mutex_
    Timeline timeline_;
    UndoStack undo_;

    const std::chrono::system_clock::time_point since_ = std::chrono::system_clock::now();
    mutable std::mutex mutex_; ///< state_, manifest_, freezer_, abort_cause_, prepared_until_, host_reports_, notes_told_
    State state_ = State::created;
    Manifest manifest_;
    std::shared_ptr<FreezerClient> freezer_;
    std::weak_ptr<FreezerClient> leftover_; ///< what is stuck; with the keeper
    std::optional<Error> abort_cause_; ///< asked for while a step runs
    HostReports host_reports_;
    std::optional<Monotonic::time_point> prepared_until_; ///< a prepared set is aborted then
    Monotonic::time_point window_start_{}; ///< zero of the manifest's timeline; set by thaw()
    std::size_t notes_told_ = 0;
    std::atomic<std::uint32_t> progressed_{0}; ///< members of the step that is told of
    std::atomic<bool> flushing_{false};
    bool announcements_held_ = false;
    std::vector<State> held_states_; ///< not yet announced

    bool following_ = false; ///< a merge is begun or waited for; under mutex_
    std::stop_source ending_; ///< ends that wait
    WindowGate::Pass window_pass_; ///< from before prime to after thaw; under step_mutex_
    mutable std::mutex step_mutex_; ///< held by whoever runs a step or the abort
    Executor steps_;
    Executor urgent_; ///< last: its thread ends first
};

} // namespace quiesced
