// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/set_manager.h"

#include <algorithm>
#include <set>

#include "sequence/rebuild.h"

namespace quiesced {

SetManager::SetManager(SetManagerOptions options, Providers providers, SetEvents& events)
    : options_(std::move(options)), providers_(std::move(providers)), events_(events), history_(options_.host.diskstats) {
    options_.environment.keeper = &keeper_;
    options_.environment.telling = {.progress = [this](const SetId& id, const SetProgress& progress) { events_.progress(id, progress); },
                                    .note = [this](const SetId& id, const std::string& sentence) { events_.set_noted(id, sentence); },
                                    .revert = [this](const SetId& id, const RevertNews& news) { events_.revert_cut_off(id, news); }};
    if (!options_.inventory) options_.inventory = std::make_shared<InventoryCache>(options_.paths);
}

SetManager::~SetManager() {
    watch_.reset();
    std::map<SetId, std::shared_ptr<SnapshotSet>> ending;
    const std::lock_guard lock(mutex_);
    ending.swap(sets_);
}

SnapshotSet::StateObserver SetManager::observer(const SetId& id) {
    return [this, id](State state) {
        std::string consistency;
        std::string error;
        if (const auto set = find(id)) {
            const auto manifest = set->describe();
            // One that is announced late must not tell of what was found out later.
            if (state == State::thawed || state == State::complete) consistency = manifest.consistency;
            error = manifest.error;
            if (state == State::thawed || is_final(state)) writer_history_.note(manifest);
        }
        events_.state_changed(id, state, consistency, error);
        if (state == State::complete && watch_) watch_->look();
        if (state == State::failed) undo_later(id, options_.undo_again);
    };
}

void SetManager::add_complete(const SetId& id, Manifest manifest) {
    writer_history_.note(manifest);
    auto set = std::make_shared<SnapshotSet>(id, std::move(manifest), providers_(), options_.environment, observer(id));
    {
        const std::lock_guard lock(mutex_);
        sets_[id] = set;
    }
    events_.set_added(set);
}

/// Never removes anything: a folder of manifests that is not there for a while must not cost the snapshots.
void SetManager::rebuild(const std::vector<SetId>& known) {
    std::vector<FoundSnapshot> all; // a set may have members of several providers
    for (const auto& provider : providers_())
        if (auto found = provider->find_all()) // one that cannot look says so when it is needed
            for (auto& snapshot : *found) all.push_back(std::move(snapshot));
    if (std::any_of(all.begin(), all.end(), [](const auto& snapshot) { return snapshot.record.volume.empty(); })) {
        const auto read = inventory();
        for (auto& snapshot : all)
            if (snapshot.record.volume.empty()) name_by_lun(snapshot, read ? *read : Inventory());
    }
    for (auto& [id, rebuilt] : rebuild_sets(all)) {
        // Known: it may have been deleted since it was found. Another one may be under way since then.
        if (std::find(known.begin(), known.end(), id) != known.end() || find(id)) continue;
        if (!rebuilt.incomplete.empty()) {
            std::string names;
            for (const auto& name : rebuilt.incomplete) names += " " + name;
            events_.set_not_rebuilt(id, "it was lost half-way, and its manifest with it. If it is of no more use: lvremove" + names);
            continue;
        }
        if (auto saved = options_.environment.store->save(rebuilt.manifest); !saved) {
            events_.set_not_rebuilt(id, saved.error().message());
            continue;
        }
        add_complete(id, std::move(rebuilt.manifest));
    }
}

Result<void> SetManager::load() {
    auto ids = options_.environment.store->list();
    if (!ids) return pass(ids);
    for (const auto& id : *ids) {
        auto manifest = options_.environment.store->load(id);
        if (!manifest) return pass(manifest);
        if (manifest->state != state_name(State::complete)) {
            undo_later(id, std::chrono::milliseconds(0));
            continue;
        }
        add_complete(id, std::move(*manifest));
        resume_revert(*find(id));
    }
    if (watch_) watch_->look();
    reaper_.post([this, known = std::move(*ids)] { rebuild(known); });
    return {};
}

void SetManager::watch_space(std::unique_ptr<DmEvents> events) {
    watch_ = std::make_unique<SpaceWatch>(SpaceWatch::Hooks{.fills = [this] { return fills(); },
                                                            .low = [this](const SetId& id, const SpaceLevel& level) { space_low(id, level); },
                                                            .lost = [this](const SetId& id, const Fill& fill) { snapshot_lost(id, fill); },
                                                            .extend_at = [this] { return extend_at(); },
                                                            .extend = [this](const SetId& id, const Fill& fill) { return extend(id, fill); }},
                                          std::move(events));
}

/// In a window nobody asks about devices that may be suspended; the end of it is a reason to look.
std::map<SetId, std::vector<Fill>> SetManager::fills() {
    std::map<SetId, std::vector<Fill>> all;
    if (in_window()) return all;
    for (const auto& set : sets())
        if (set->state() == State::complete) all.emplace(set->id(), set->fills());
    events_.space_seen(all);
    return all;
}

void SetManager::space_low(const SetId& id, const SpaceLevel& level) {
    if (!level.fill.lost.empty())
        if (const auto set = find(id); !set || set->being_removed()) return;
    events_.space_low(id, level);
}

void SetManager::snapshot_lost(const SetId& id, const Fill& fill) {
    const auto set = find(id);
    if (!set) return;
    const auto marked = set->mark_lost(fill);
    if (!marked || *marked) events_.snapshot_lost(id, fill);
}

std::optional<unsigned> SetManager::extend_at() const {
    const std::lock_guard lock(mutex_);
    if (options_.extend_at == 0) return std::nullopt;
    return options_.extend_at;
}

/// Not while a window is open, nor with a freeze stuck in the kernel: the LVM command would hang behind it. Then it is tried again
/// soon.
bool SetManager::extend(const SetId& id, const Fill& fill) {
    const auto pass = options_.environment.gate->try_change();
    if (!pass || keeper_.count() != 0) return true;
    const auto set = find(id);
    if (!set) return false;
    const auto by = [this] {
        const std::lock_guard lock(mutex_);
        return options_.extend_by;
    }();
    const auto done = set->extend(fill, by);
    if (!done) {
        if (done.error().kind == ErrorKind::busy) return true;
        if (std::exchange(not_extended_[fill.name], done.error().message()) != done.error().message())
            events_.space_not_extended(id, fill, done.error().message());
        return false;
    }
    not_extended_.erase(fill.name);
    if (done->to <= done->from) return false;
    events_.space_extended(id, fill, *done);
    return true;
}

/// An array or a plugin that was away when its share was to be undone comes back: what a set has left there must not stay until
/// somebody thinks of restarting the daemon. The manifest is there as long as something is.
void SetManager::undo_later(const SetId& id, std::chrono::milliseconds delay) {
    undo_.post_at(Monotonic::now() + delay, [this, id, delay] {
        const auto manifest = options_.environment.store->load(id);
        if (!manifest || manifest->state == state_name(State::complete)) return;
        const auto set = find(id);
        const bool stuck = set && !set->describe().stuck.empty(); // its volumes are not to be touched yet
        if (!stuck && abandon(id, *manifest).empty()) return;
        undo_later(id, std::clamp(delay * 2, options_.undo_again, std::chrono::milliseconds(std::chrono::minutes(5))));
    });
}

/// What could not be undone; empty for all well.
std::string SetManager::abandon(const SetId& id, const Manifest& manifest) {
    std::string problems;
    const auto note = [&problems](const std::string& text) { problems += (problems.empty() ? "" : "; ") + text; };
    const auto known = providers_();
    std::set<std::string> names;
    for (const auto& member : manifest.members) names.insert(member.provider);
    for (const auto& name : names) {
        const auto provider = std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry->name() == name; });
        if (provider == known.end()) note("the provider '" + name + "' is not there");
        else if (auto done = (*provider)->abandon(id); !done) note(done.error().message());
    }
    if (problems.empty())
        if (auto forgotten = options_.environment.store->remove(id); !forgotten) note(forgotten.error().message());
    events_.set_abandoned(id, problems);
    return problems;
}

Result<Inventory> SetManager::inventory() const { return overruled(options_.inventory->get()); }

Result<Inventory> SetManager::overruled(const Result<std::shared_ptr<const Inventory>>& read) const {
    if (!read) return tl::unexpected<Error>(read.error());
    auto inventory = **read;
    inventory.overrule(options_.verdicts->all());
    return inventory;
}

Result<MatchReport> SetManager::match(const std::vector<DiskClaim>& claims, const MatchOptions& options) {
    for (std::size_t i = 0; i < claims.size(); ++i)
        if (auto good = check_claim(claims[i]); !good) {
            good.error().context = "disk " + std::to_string(i) + ": " + good.error().context;
            return pass(good);
        }
    auto current = inventory();
    if (!current) return pass(current);
    auto matches = match_disks(claims, *current);
    if (options.remember) {
        if (auto kept = options_.verdicts->record(verdicts_of(claims, matches, *current), options.forget); !kept) return pass(kept);
        current->overrule(options_.verdicts->all());
    }
    return MatchReport{.matches = std::move(matches), .inventory = std::move(*current)};
}

std::optional<Error> SetManager::held(const Volume& volume) const {
    if (const auto set = keeper_.stuck_in(volume.superblock))
        return fail(ErrorKind::busy, volume.name + " is stuck in the kernel since the failed set " + *set + ": its freeze or thaw has not returned",
                    "A disk below it does not answer: see dmesg and dmsetup info. When it does, the volume is thawed and free by itself.").value();
    for (const auto& [id, set] : sets_) {
        if (is_final(set->state())) continue;
        const auto superblocks = set->held_superblocks();
        if (std::find(superblocks.begin(), superblocks.end(), volume.superblock) != superblocks.end())
            return fail(ErrorKind::busy, volume.name + " is in the unfinished set " + id.text(), "Wait for that set, or abort it.").value();
    }
    return std::nullopt;
}

Result<void> SetManager::check_free(const SetPlan& plan, const SetOwner& owner) const {
    for (const auto* group : {&plan.members, &plan.carried})
        for (const auto& entry : *group)
            if (auto other = held(entry.volume)) return tl::unexpected<Error>(std::move(*other));
    const auto unfinished = static_cast<std::size_t>(
        std::count_if(sets_.begin(), sets_.end(), [](const auto& entry) { return !is_final(entry.second->state()); }));
    if (unfinished >= options_.most_unfinished)
        return fail(ErrorKind::limit, "there are " + std::to_string(unfinished) + " unfinished sets already", "Finish or abort one first.");
    const auto of_caller = static_cast<std::size_t>(std::count_if(sets_.begin(), sets_.end(), [&](const auto& entry) {
        const auto& other = entry.second->owner();
        const bool same = (owner.user != 0 && other.user == owner.user) || (!owner.connection.empty() && other.connection == owner.connection);
        return same && !is_final(entry.second->state());
    }));
    if (of_caller >= options_.most_of_a_caller)
        return fail(ErrorKind::limit, "the caller has " + std::to_string(of_caller) + " unfinished sets already", "Finish or abort one of them first.");
    return {};
}

Result<std::shared_ptr<SnapshotSet>> SetManager::create(const std::vector<std::string>& volumes, const SetOptions& options) {
    if (options.deadline < std::chrono::milliseconds(100) || options.deadline > std::chrono::minutes(10))
        return fail(ErrorKind::invalid_argument, "a deadline of " + std::to_string(options.deadline.count()) + " ms is not possible",
                    "It must be 100 to 600000 ms.");
    if (options.member_limit != std::chrono::milliseconds(0) &&
        (options.member_limit < std::chrono::milliseconds(10) || options.member_limit > std::chrono::minutes(10)))
        return fail(ErrorKind::invalid_argument, "a limit of " + std::to_string(options.member_limit.count()) + " ms for one file system is not possible",
                    "It must be 10 to 600000 ms, or 0 for none but the deadline.");
    if (options.prepare_limit != std::chrono::milliseconds(0) &&
        (options.prepare_limit < std::chrono::seconds(1) || options.prepare_limit > std::chrono::hours(24)))
        return fail(ErrorKind::invalid_argument, "a limit of " + std::to_string(options.prepare_limit.count()) + " ms from Prepare to Freeze is not possible",
                    "It must be 1000 to 86400000 ms, or 0 for none.");
    // What is about to be frozen is looked at afresh, whatever the kernel tells of changes.
    auto current = overruled(options_.inventory->read());
    if (!current) return pass(current);
    auto plan = plan_set(volumes, std::make_shared<const Inventory>(std::move(*current)), providers_(), options.providers);
    if (!plan) return pass(plan);
    auto id = SetId::generate();
    if (!id) return pass(id);
    auto written = history_.last_hour();
    std::shared_ptr<SnapshotSet> set;
    {
        // Checked and entered in one go: two requestors must not both find a volume free.
        const std::lock_guard lock(mutex_);
        if (auto good = check_free(*plan, options.owner); !good) return pass(good);
        auto set_options = options;
        set_options.wishes.written = std::move(written);
        set = std::make_shared<SnapshotSet>(*id, std::move(*plan), set_options, options_.environment, observer(*id));
        sets_[*id] = set;
    }
    events_.set_added(set);
    return set;
}

Result<PlanReport> SetManager::plan(const std::vector<std::string>& volumes, const PlanOptions& options, const std::stop_token& stop) const {
    auto current = inventory();
    if (!current) return pass(current);
    PlanSources sources;
    sources.inventory = std::make_shared<const Inventory>(std::move(*current));
    sources.providers = providers_();
    {
        const std::lock_guard lock(mutex_);
        if (options_.environment.make_writers) sources.writers = options_.environment.make_writers();
    }
    sources.held = [this](const Volume& volume) {
        const std::lock_guard lock(mutex_);
        return held(volume);
    };
    sources.host = options_.host;
    auto plan_options = options;
    plan_options.wishes.written = history_.last_hour();
    return make_plan_report(volumes, sources, plan_options, stop);
}

std::vector<WriterStatus> SetManager::writers() const {
    std::unique_ptr<Writers> writers;
    {
        const std::lock_guard lock(mutex_);
        if (options_.environment.make_writers) writers = options_.environment.make_writers();
    }
    std::vector<WriterStatus> all;
    if (!writers) return all;
    for (auto& writer : writers->configured()) {
        auto last = writer_history_.last(writer.name, writer.kind);
        all.push_back({.writer = std::move(writer), .last = std::move(last)});
    }
    return all;
}

SetOptions SetManager::defaults() const {
    const std::lock_guard lock(mutex_);
    return options_.defaults;
}

Result<void> SetManager::reconfigure(const std::function<void(SetManagerOptions&)>& change) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, set] : sets_)
        if (const auto state = set->state(); !is_final(state))
            return fail(ErrorKind::busy, "the set " + id.text() + " is " + std::string(state_name(state)),
                        "Try again when it is finished, or abort it: quiescectl leases");
    change(options_);
    if (watch_) watch_->look(); // places may have to be extended from now on
    return {};
}

std::vector<std::shared_ptr<SnapshotSet>> SetManager::sets() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<SnapshotSet>> all;
    for (const auto& [id, set] : sets_) all.push_back(set);
    return all;
}

std::shared_ptr<SnapshotSet> SetManager::find(const SetId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = sets_.find(id);
    return found == sets_.end() ? nullptr : found->second;
}

bool SetManager::in_window() const {
    const auto all = sets();
    return std::any_of(all.begin(), all.end(), [](const auto& set) { return is_window(set->state()); });
}

void SetManager::forget(const SetId& id) {
    std::shared_ptr<SnapshotSet> set;
    {
        const std::lock_guard lock(mutex_);
        const auto found = sets_.find(id);
        if (found == sets_.end()) return;
        set = std::move(found->second);
        sets_.erase(found);
    }
    events_.set_removed(id);
    if (watch_) watch_->look();
    reaper_.post([ended = std::move(set)]() mutable { ended.reset(); });
}

} // namespace quiesced
