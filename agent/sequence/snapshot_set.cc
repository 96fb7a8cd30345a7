// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/snapshot_set.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "sequence/foreign_freeze.h"
#include "sequence/set_report.h"
#include "sequence/shared_space.h"
#include "sequence/side_by_side.h"

namespace quiesced {
namespace {

/// What is left of the deadline for thawing when a plugin uses its time to the end.
constexpr std::chrono::milliseconds kThawReserve{200};

/// For an LVM command that makes a store larger, before a set gives up waiting for it.
constexpr std::chrono::milliseconds kChangePatience{30000};

} // namespace

SnapshotSet::SnapshotSet(SetId id, SetPlan plan, SetOptions options, SetEnvironment environment, StateObserver observer)
    : id_(std::move(id)), options_(options), environment_(std::move(environment)), observer_(std::move(observer)),
      plan_(std::move(plan)), writers_(environment_.make_writers ? environment_.make_writers() : nullptr),
      manifest_(new_manifest(id_, plan_)) {
    for (std::size_t i = 0; i < plan_.members.size(); ++i) {
        const auto& provider = plan_.members[i].provider;
        auto part = std::find_if(parts_.begin(), parts_.end(), [&](const Part& entry) { return entry.provider == provider; });
        if (part == parts_.end()) part = parts_.insert(parts_.end(), Part{.provider = provider, .members = {}, .session = nullptr, .commit = {}});
        part->members.push_back(i);
    }
}

SnapshotSet::SnapshotSet(SetId id, Manifest manifest, std::vector<std::shared_ptr<Provider>> providers,
                         SetEnvironment environment, StateObserver observer)
    : id_(std::move(id)), options_(), environment_(std::move(environment)), observer_(std::move(observer)),
      providers_(std::move(providers)), state_(State::complete), manifest_(std::move(manifest)) {}

SnapshotSet::~SnapshotSet() {
    if (!is_final(state()))
        static_cast<void>(abort({.kind = ErrorKind::lost, .error_number = 0, .context = "quiesced is stopping", .advice = {}, .undone = {}}));
    ending_.request_stop();
    urgent_.finish();
    steps_.finish();
}

void SnapshotSet::post(Step step, Done done) {
    if (step == Step::abort) {
        urgent_.post([this, done = std::move(done)] {
            done(abort({.kind = ErrorKind::lost, .error_number = 0, .context = "the set was aborted on request", .advice = {}, .undone = {}}));
        });
        return;
    }
    steps_.post([this, step, done = std::move(done)] {
        Result<void> result;
        {
            const std::lock_guard lock(step_mutex_);
            result = run(step);
        }
        done(std::move(result));
        // The answer to Thaw is not kept waiting for what comes after it.
        if (step == Step::thaw && state() == State::thawed) {
            const std::lock_guard lock(step_mutex_);
            static_cast<void>(fail_step(finish())); // a failure stays in the state, and is what Finish answers
        }
    });
}

Result<void> SnapshotSet::run(Step step) {
    switch (step) {
    case Step::prepare: return fail_step(prepare());
    case Step::freeze: return fail_step(freeze());
    case Step::snapshot: return fail_step(snapshot());
    case Step::thaw: return fail_step(thaw());
    case Step::finish: return fail_step(finish());
    case Step::take: return fail_step(take());
    case Step::map: return map();
    case Step::remove: return remove();
    case Step::abort: break; // never comes here
    }
    return fail(ErrorKind::internal, "no such step");
}

/// A step that was refused because of the state changes nothing; one that was tried and failed ends the set.
Result<void> SnapshotSet::fail_step(Result<void> result) {
    const auto now = state();
    const bool tried = now == State::preparing || now == State::freezing || now == State::snapshotting || now == State::thawing;
    if (result || (result.error().kind == ErrorKind::wrong_state && !tried)) return result;
    Error cause = result.error();
    {
        const std::lock_guard lock(mutex_);
        // What made the step fail may be an abort that was asked for: that is then the cause.
        if (abort_cause_) cause = *abort_cause_;
    }
    static_cast<void>(unwind(cause));
    const std::lock_guard lock(mutex_);
    if (abort_cause_) return tl::unexpected<Error>(*abort_cause_);
    return tl::unexpected<Error>(std::move(cause));
}

Result<void> SnapshotSet::expect(State wanted, const char* step) const {
    const auto now = state();
    if (now == wanted) {
        // An abort that was asked for while the step before this one ran.
        const std::lock_guard lock(mutex_);
        if (abort_cause_) return tl::unexpected<Error>(*abort_cause_);
        return {};
    }
    std::string advice = "It must be '" + std::string(state_name(wanted)) + "'.";
    const std::lock_guard lock(mutex_);
    if (now == State::failed) advice = manifest_.error + " Make a new set.";
    return fail(ErrorKind::wrong_state, std::string(step) + " is not possible: set " + id_.text() + " is '" + std::string(state_name(now)) + "'",
                std::move(advice));
}

Result<void> SnapshotSet::prepare() {
    if (auto good = expect(State::created, "Prepare"); !good) return good;
    set_state(State::preparing);
    // Before the first snapshot is made: if this process is lost, its next start knows what to remove.
    if (auto noted = environment_.store->save(describe()); !noted) return noted;
    if (auto thawed = check_thawed(); !thawed) return thawed;
    if (auto ready = prepare_writers(); !ready) return ready;
    if (auto armed = timeline_.measure("arm", [this] { return arm_all(); }); !armed) return armed;

    std::vector<DmChain> chains;
    for (const auto& part : parts_)
        for (auto& chain : part.session->chains()) chains.push_back(std::move(chain));
    auto plan = make_freeze_plan(id_, plan_, std::move(chains), environment_.open_mount);
    if (!plan) return pass(plan);
    plan->accept_foreign = options_.accept_foreign_freeze;
    plan->member_limit = options_.member_limit;
    auto freezer_options = environment_.freezer;
    freezer_options.record_directory = environment_.record_directory;
    auto client = FreezerClient::start(std::move(*plan), environment_.make_launcher(), environment_.make_kernel(), freezer_options,
                                       [this](const WindowLoss& loss) { on_loss(loss); });
    if (!client) return pass(client);
    {
        const std::lock_guard lock(mutex_);
        freezer_ = std::move(*client);
    }
    // Armed snapshots fill up, and nobody else may take these volumes.
    if (options_.prepare_limit > std::chrono::milliseconds(0)) {
        const std::lock_guard lock(mutex_);
        prepared_until_ = Monotonic::now() + options_.prepare_limit;
    }
    set_state(State::prepared);
    if (prepared_until_)
        urgent_.post_at(*prepared_until_, [this] {
            if (state() != State::prepared) return;
            static_cast<void>(abort({.kind = ErrorKind::deadline, .error_number = 0,
                                     .context = "the set was prepared and not frozen within " + std::to_string(options_.prepare_limit.count()) + " ms",
                                     .advice = "Make a new set; prepare_limit_ms sets the time.", .undone = {}}));
        });
    return {};
}

/// Also where a foreign freeze would be accepted: no snapshot can be armed under it then.
Result<void> SnapshotSet::check_thawed() {
    if (std::none_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.provider->arm_needs_thawed(); })) return {};
    auto options = environment_.freezer;
    options.record_directory = environment_.record_directory;
    auto checked = timeline_.measure("look for foreign freezes", [&] {
        return refuse_foreign_freeze(id_, plan_, environment_.open_mount, environment_.make_launcher(), environment_.make_kernel(), options,
                                     [this](std::shared_ptr<FreezerClient> client) {
                                         {
                                             const std::lock_guard lock(mutex_);
                                             manifest_.stuck = client->stuck();
                                         }
                                         let_go(std::move(client));
                                     });
    });
    if (!checked && checked.error().kind == ErrorKind::foreign_freeze) checked.error().context += ", and no snapshot of it can be made meanwhile";
    return checked;
}

Result<void> SnapshotSet::arm_all() {
    for (auto& part : parts_) {
        std::vector<const Volume*> volumes;
        for (const auto index : part.members) volumes.push_back(&plan_.members[index].volume);
        auto session = part.provider->begin(id_, volumes, *plan_.inventory, options_.wishes);
        if (!session) return pass(session);
        part.session = std::move(*session);
        undo_.push("giving up the snapshots of " + part.provider->name(), [raw = part.session.get()] { return raw->disarm(); });
    }
    if (auto room = check_shared_space(); !room) return room;
    return side_by_side(parts_.size(), [this](std::size_t i) {
        auto armed = parts_[i].session->arm();
        if (armed) tell_progress("arm", parts_[i].members);
        return armed;
    });
}

/// Asks only where two of them may take from one group: each is an LVM command or two more.
Result<void> SnapshotSet::check_shared_space() {
    std::vector<SpaceNeed> needs;
    const auto makes_stores = [](const Part& part) { return part.session->makes_stores(); };
    if (std::count_if(parts_.begin(), parts_.end(), makes_stores) < 2) return {};
    for (const auto& part : parts_) {
        if (!makes_stores(part)) continue;
        const auto estimate = part.session->estimate();
        if (!estimate) return tl::unexpected<Error>(estimate.error());
        needs.insert(needs.end(), estimate->space.begin(), estimate->space.end());
    }
    if (auto shortage = shared_shortage(needs)) return tl::unexpected<Error>(std::move(shortage->error));
    return {};
}

Result<void> SnapshotSet::freeze() {
    if (auto good = expect(State::prepared, "Freeze"); !good) return good;
    auto entered = environment_.gate->enter_window(kChangePatience);
    if (!entered) return pass(entered);
    window_pass_ = std::move(*entered);
    const auto client = freezer();
    set_state(State::freezing);
    if (auto done = freeze_writers(); !done) return done;
    relinquish_journal();
    if (auto done = timeline_.measure("flush", [&] { return flush(*client); }); !done) return done;
    if (!client->record().chains().empty()) {
        if (auto done = client->prime(); !done) return done;
        // What was written while priming; short, since nearly all is on the disk already.
        if (auto done = timeline_.measure("flush again", [&] { return client->flush(environment_.flush_bound); }); !done) return done;
    }
    if (auto done = client->freeze(options_.deadline); !done) return done;
    set_state(State::frozen);
    return {};
}

/// Before the flush, which then writes what journald had not. Whoever logs must not wait for the thaw, so a journal that cannot be
/// moved fails nothing.
void SnapshotSet::relinquish_journal() {
    if (!options_.relinquish_journal || !environment_.journal) return;
    const auto mount = environment_.journal->mount();
    const auto holds = [&](const PlannedVolume& entry) {
        return std::any_of(entry.volume.mounts.begin(), entry.volume.mounts.end(), [&](const auto& each) { return each.mount_id == *mount; });
    };
    if (!mount || (std::none_of(plan_.members.begin(), plan_.members.end(), holds) && std::none_of(plan_.carried.begin(), plan_.carried.end(), holds)))
        return;
    // In the record first: when this process is lost, its next start has the journal flushed.
    freezer()->record().header().journal_relinquished = 1;
    journal_relinquished_ = true;
    auto moved = timeline_.measure("journal", [this] { return environment_.journal->relinquish(); });
    if (!moved) note("the journal was not moved to /run for the window: " + moved.error().message());
}

/// Idempotent; not in the window.
void SnapshotSet::flush_journal() {
    if (!std::exchange(journal_relinquished_, false)) return;
    if (auto flushed = environment_.journal->flush(); !flushed)
        note("the journal stays in /run until journalctl --flush: " + flushed.error().message());
}

/// The end of the freezer of a set that failed; what is stuck in the kernel is not waited for.
void SnapshotSet::let_go(std::shared_ptr<FreezerClient> client) {
    if (environment_.keeper == nullptr) return;
    FreezerKeeper::Members members;
    for (const auto* group : {&plan_.members, &plan_.carried})
        for (const auto& entry : *group) members.emplace_back(entry.volume.name, entry.volume.superblock);
    {
        const std::lock_guard lock(mutex_);
        leftover_ = client;
    }
    environment_.keeper->keep(id_.text(), std::move(client), std::move(members));
}

/// Before anything is armed: a database that does not answer costs nothing then.
Result<void> SnapshotSet::prepare_writers() {
    if (!writers_) return {};
    // As soon as something may be open; its thaw proper comes sooner, see freeze_writers().
    undo_.push("ending the writers", [this] { return thaw_writers(true); });
    return timeline_.measure("writers prepare", [this] {
        return writers_->prepare({.set = id_.text(), .volumes = volumes(), .aborted = false}, *plan_.inventory);
    });
}

Result<void> SnapshotSet::freeze_writers() {
    if (!writers_) return {};
    undo_.push("thawing the writers", [this] { return thaw_writers(true); });
    auto frozen = timeline_.measure("writers freeze", [this] {
        return writers_->freeze({.set = id_.text(), .volumes = volumes(), .aborted = false});
    });
    for (auto& line : writers_->notes()) note(std::move(line));
    if (!frozen) return pass(frozen);
    writers_frozen_ = *frozen;
    return {};
}

/// Idempotent. A writer that could not be thawed is reported; it does not spoil the set, which is cut already.
Result<void> SnapshotSet::thaw_writers(bool aborted) {
    if (!writers_) return {};
    const auto start = Monotonic::now();
    auto failed = writers_->thaw({.set = id_.text(), .volumes = volumes(), .aborted = aborted});
    if (writers_frozen_ != 0) timeline_.add("writers thaw", start, Monotonic::now());
    if (failed.empty()) return {};
    return tl::unexpected<Error>(Error{.kind = ErrorKind::writer_failed, .error_number = 0, .context = "a writer could not be thawed",
                                       .advice = {}, .undone = std::move(failed)});
}

Result<void> SnapshotSet::snapshot() {
    if (auto good = expect(State::frozen, "Snapshot"); !good) return good;
    set_state(State::snapshotting);
    const auto client = freezer();
    const Monotonic::time_point deadline{std::chrono::nanoseconds(client->record().header().deadline.load()) - kThawReserve};
    std::vector<Part*> plugins;
    for (auto& part : parts_)
        if (!part.session->chains_only()) plugins.push_back(&part);
    // Both kinds at once: the chains by the freezer, the LUNs by their plugins.
    const auto cut = [&](std::size_t i) -> Result<void> {
        if (i == 0) return client->fire();
        auto& part = *plugins[i - 1];
        const auto start = Monotonic::now();
        auto result = part.session->commit(deadline);
        part.commit = Timeline::Span{.what = "commit " + part.provider->name(), .start = start, .end = Monotonic::now()};
        return result;
    };
    std::atomic<bool> failed{false};
    auto done = side_by_side(plugins.size() + 1, [&](std::size_t i) -> Result<void> {
        auto result = cut(i);
        if (result) return result;
        // One failure decides: writers need not wait for the others to end. What they then say follows from it.
        if (failed.exchange(true)) return {};
        static_cast<void>(client->thaw());
        return result;
    });
    if (!done) return done;
    set_state(State::snapshotted);
    return {};
}

/// Puts the plugins' commits into the timeline, after the window; returns them.
std::vector<Timeline::Span> SnapshotSet::note_commits() {
    std::vector<Timeline::Span> commits;
    for (auto& part : parts_)
        if (const auto commit = std::exchange(part.commit, std::nullopt)) commits.push_back(*commit);
    for (const auto& span : commits) timeline_.add(span.what, span.start, span.end);
    return commits;
}

Result<void> SnapshotSet::thaw() {
    if (const auto now = state(); now == State::thawed || now == State::complete) return {};
    if (auto good = expect(State::snapshotted, "Thaw"); !good) return good;
    set_state(State::thawing);
    const auto client = freezer();
    auto thawed = client->thaw();
    window_pass_.reset();
    const auto writers_thawed = thaw_writers(false);
    std::string reason;
    {
        const std::lock_guard lock(mutex_);
        auto cuts = note_commits();
        for (auto& report : host_reports_.settle(client->record())) cuts.push_back(std::move(report));
        report_window(manifest_, client->record(), timeline_);
        window_start_ = Monotonic::time_point(std::chrono::nanoseconds(client->record().header().window_started.load()));
        reason = judge_window(manifest_, client->record(), cuts);
        host_reports_.apply(manifest_);
        manifest_.stuck = client->stuck();
        if (writers_) report_writers(manifest_, writers_->report());
        if (!writers_thawed) manifest_.error = writers_thawed.error().message();
    }
    if (!thawed) return thawed;
    // Only the times count: a deadline that passed after the last cut has thawed a consistent set.
    if (!reason.empty())
        return fail(ErrorKind::deadline, "the set is not consistent: " + reason, "Ask for a longer deadline.");
    set_state(State::thawed);
    return {};
}

Result<void> SnapshotSet::finish() {
    if (state() == State::complete) return {};
    if (auto good = expect(State::thawed, "Finish"); !good) return good;
    flush_journal(); // while the window's record is there
    tell_notes();
    tell_cuts();
    {
        std::shared_ptr<FreezerClient> ended;
        const std::lock_guard lock(mutex_);
        ended.swap(freezer_);
    }
    progressed_ = 0;
    const auto start = Monotonic::now();
    // Side by side: each mostly waits, for LVM or for an array.
    auto done = side_by_side(parts_.size(), [this](std::size_t index) -> Result<void> {
        auto& part = parts_[index];
        auto records = part.session->finish();
        if (!records) return pass(records);
        if (records->size() != part.members.size())
            return fail(ErrorKind::internal, part.provider->name() + " reported " + std::to_string(records->size()) + " snapshots for " +
                                                 std::to_string(part.members.size()) + " volumes");
        {
            const std::lock_guard lock(mutex_);
            for (std::size_t i = 0; i < records->size(); ++i) {
                auto& member = manifest_.members[part.members[i]];
                if (!(*records)[i].snapshot.empty()) member.snapshot = (*records)[i].snapshot;
                member.device = (*records)[i].device;
                member.reference = (*records)[i].reference;
            }
        }
        tell_progress("confirm", part.members);
        return {};
    });
    if (!done) return done;
    Manifest kept;
    {
        const std::lock_guard lock(mutex_);
        manifest_.timeline.push_back({.what = "finish", .start_ms = to_ms(start - window_start_), .length_ms = to_ms(Monotonic::now() - start)});
        manifest_.state = state_name(State::complete);
        kept = manifest_;
    }
    if (auto saved = environment_.store->save(kept); !saved) return saved;
    undo_.forget();
    set_state(State::complete);
    return {};
}

Result<void> SnapshotSet::take() {
    if (auto good = refuse_host_members(); !good) return good;
    if (state() == State::created)
        if (auto done = prepare(); !done) return done;
    if (auto good = expect(State::prepared, "Take"); !good) return good;
    // Nobody waits for the states in between, and telling them to the bus would lengthen the window.
    hold_announcements();
    auto done = freeze();
    if (done) done = snapshot();
    if (done) done = thaw();
    if (!done) return done; // announced with the abort, once all is thawed
    announce_held();
    return finish();
}

Result<std::chrono::milliseconds> SnapshotSet::keep_alive() {
    const auto client = freezer();
    if (!client || !is_window(state())) {
        auto refused = expect(State::frozen, "KeepAlive");
        if (!refused) return pass(refused);
        return fail(ErrorKind::wrong_state, "KeepAlive is not possible now");
    }
    if (auto extended = client->extend(Monotonic::now() + options_.deadline); !extended) return pass(extended);
    return options_.deadline;
}

void SnapshotSet::set_state(State state) {
    {
        const std::lock_guard lock(mutex_);
        state_ = state;
        manifest_.state = state_name(state);
        if (announcements_held_) {
            held_states_.push_back(state);
            return;
        }
    }
    if (observer_) observer_(state);
}

void SnapshotSet::hold_announcements() {
    const std::lock_guard lock(mutex_);
    announcements_held_ = true;
    held_states_.reserve(16);
}

void SnapshotSet::announce_held() {
    std::vector<State> held;
    {
        const std::lock_guard lock(mutex_);
        announcements_held_ = false;
        held.swap(held_states_);
    }
    if (observer_)
        for (const auto state : held) observer_(state);
}

State SnapshotSet::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

std::string SnapshotSet::consistency() const {
    const std::lock_guard lock(mutex_);
    return manifest_.consistency;
}

std::vector<std::string> SnapshotSet::volumes() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& member : manifest_.members) names.push_back(member.volume);
    return names;
}

Manifest SnapshotSet::describe() const {
    const std::lock_guard lock(mutex_);
    auto manifest = manifest_;
    // Once it has come back it is thawed, and the volumes are free again.
    if (!manifest.stuck.empty() && environment_.keeper != nullptr) {
        const auto leftover = leftover_.lock();
        manifest.stuck = leftover ? leftover->stuck() : std::vector<std::string>{};
    }
    return manifest;
}

std::vector<DeviceNumber> SnapshotSet::held_superblocks() const {
    std::vector<DeviceNumber> held;
    if (is_final(state())) return held;
    for (const auto* group : {&plan_.members, &plan_.carried})
        for (const auto& entry : *group) held.push_back(entry.volume.superblock);
    return held;
}

std::shared_ptr<FreezerClient> SnapshotSet::freezer() const {
    const std::lock_guard lock(mutex_);
    return freezer_;
}

} // namespace quiesced
