// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/configured_writers.h"

#include <algorithm>
#include <thread>

#include "volumes/inventory.h"
#include "writers/hook_directory.h"
#include "writers/script_writer.h"
#include "writers/session_writer.h"
#include "writers/unit_writer.h"
#include "writers/writer_config.h"

namespace quiesced {
namespace {

tl::unexpected<Error> cancelled() { return fail(ErrorKind::wrong_state, "the freeze of the writers was cancelled"); }

/// Work for each of a group's entries at once, the first on the caller's thread; returns when all have ended.
template <typename Entries, typename Work>
void at_once(Entries& entries, std::pair<std::size_t, std::size_t> group, const Work& work) {
    std::vector<std::jthread> threads;
    for (auto i = group.first + 1; i < group.second; ++i) threads.emplace_back([&work, &entry = entries[i]] { work(entry); });
    if (group.first < group.second) work(entries[group.first]);
}

/// Which of the members a path lies on; for one in a loop file on a member, that member. Empty: on none.
Result<std::string> member_of(const std::string& path, const std::vector<std::string>& members, const Inventory& inventory) {
    auto holder = inventory.holder_of(path);
    if (!holder) return pass(holder);
    for (const Volume* volume = *holder; volume != nullptr; volume = inventory.backing_of(*volume))
        if (std::find(members.begin(), members.end(), volume->name) != members.end()) return volume->name;
    return std::string();
}

Result<std::vector<std::string>> concerned(const WriterConfig& config, const std::vector<std::string>& members, const Inventory& inventory) {
    if (config.volumes.empty()) return members;
    std::vector<std::string> found;
    for (const auto& path : config.volumes) {
        auto member = member_of(path, members, inventory);
        if (!member) {
            member.error().context = "the writer " + config.name + " cannot be placed: " + member.error().context;
            member.error().advice = "Mend volumes in its file, or move that away.";
            return pass(member);
        }
        if (!member->empty() && std::find(found.begin(), found.end(), *member) == found.end()) found.push_back(std::move(*member));
    }
    return found;
}

std::unique_ptr<Writer> make_writer(const WriterConfig& config, Units& units, const Outside& outside) {
    switch (config.type) {
    case WriterConfig::Type::script: return std::make_unique<ScriptWriter>(config.name, config.command, false, outside);
    case WriterConfig::Type::session: return std::make_unique<SessionWriter>(config.name, config.command, outside);
    case WriterConfig::Type::unit: return std::make_unique<UnitWriter>(config.name, config.unit, config.method, units);
    }
    return nullptr;
}

} // namespace

ConfiguredWriters::ConfiguredWriters(WriterSettings settings) : settings_(std::move(settings)) {
    if (!settings_.units) settings_.units = make_systemd_units();
}

ConfiguredWriters::~ConfiguredWriters() {
    context_.aborted = true;
    // Nobody is left to tell of a failure; the writers must run all the same.
    static_cast<void>(ConfiguredWriters::thaw(context_));
}

Result<ConfiguredWriters::Selection> ConfiguredWriters::select(const std::vector<std::string>& volumes, const Inventory& inventory) const {
    auto hooks = read_hook_directory(settings_.hooks_directory);
    if (!hooks) return pass(hooks);
    auto configs = read_writer_configs(settings_.writers_directory);
    if (!configs) return pass(configs);
    std::stable_sort(configs->begin(), configs->end(), [](const WriterConfig& a, const WriterConfig& b) { return a.order < b.order; });

    Selection selection{.entries = {}, .notes = std::move(hooks->notes)};
    int group = 0;
    const auto add = [&](std::unique_ptr<Writer> writer, WriterReport report) -> Entry& {
        selection.entries.push_back(Entry{.writer = std::move(writer), .path = {}, .group = group, .limit = settings_.limit, .may_fail = false,
                                          .out = false, .begun = false, .report = std::move(report), .error = {}});
        return selection.entries.back();
    };
    for (auto& hook : hooks->hooks) {
        ++group;
        add(std::make_unique<ScriptWriter>(hook.name, std::vector{hook.path}, false, settings_.outside),
            {.name = hook.name, .kind = "script", .volumes = volumes, .quiesced = false, .raises = true, .error = {}, .freeze_ms = {}, .thaw_ms = {}, .records = {}})
            .path = std::move(hook.path);
    }
    for (std::size_t i = 0; i < configs->size(); ++i) {
        const auto& config = (*configs)[i];
        auto members = concerned(config, volumes, inventory);
        if (!members) return pass(members);
        if (i == 0 || config.order != (*configs)[i - 1].order) ++group;
        if (members->empty()) continue;
        const bool raises = config.type != WriterConfig::Type::unit || config.method == WriterConfig::Method::stop;
        auto& entry = add(make_writer(config, *settings_.units, settings_.outside),
                          {.name = config.name, .kind = type_name(config.type), .volumes = std::move(*members), .quiesced = false, .raises = raises,
                           .error = {}, .freeze_ms = {}, .thaw_ms = {}, .records = {}});
        entry.path = config.command.empty() ? config.unit : config.command.front();
        entry.limit = config.limit;
        entry.may_fail = config.may_fail;
    }
    return selection;
}

Result<WriterList> ConfiguredWriters::list(const std::vector<std::string>& volumes, const Inventory& inventory) const {
    auto selection = select(volumes, inventory);
    if (!selection) return pass(selection);
    WriterList list{.writers = {}, .left_out = std::move(selection->notes)};
    for (auto& entry : selection->entries)
        list.writers.push_back({.name = entry.report.name, .kind = entry.report.kind, .path = std::move(entry.path), .volumes = std::move(entry.report.volumes)});
    return list;
}

std::vector<ConfiguredWriters::Group> ConfiguredWriters::groups() const {
    std::vector<Group> all;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (all.empty() || entries_[i].group != entries_[all.back().first].group) all.emplace_back(i, i);
        all.back().second = i + 1;
    }
    return all;
}

/// After a step: those that may fail and did are out, and thawed at once; the first other failure is returned.
Result<void> ConfiguredWriters::settle(Group group, const WriterContext& context) {
    Result<void> result;
    for (auto i = group.first; i < group.second; ++i) {
        auto& entry = entries_[i];
        auto error = std::exchange(entry.error, std::nullopt);
        if (!error) continue;
        entry.report.error = error->message();
        if (!entry.may_fail || interrupt_.raised()) {
            if (result) result = tl::unexpected<Error>(std::move(*error));
            continue;
        }
        entry.out = true;
        notes_.push_back("the set goes on without the writer " + entry.report.name + ": " + entry.report.error);
        if (!entry.begun) continue;
        auto undone = context;
        undone.aborted = true;
        thaw_one(entry, undone);
    }
    return result;
}

Result<void> ConfiguredWriters::prepare(const WriterContext& context, const Inventory& inventory) {
    if (frozen_) return fail(ErrorKind::wrong_state, "the writers are frozen already");
    if (interrupt_.raised()) return cancelled();
    auto selection = select(context.volumes, inventory);
    if (!selection) return pass(selection);
    entries_ = std::move(selection->entries);
    given_up_.clear();
    notes_ = std::move(selection->notes);
    const Group all{0, entries_.size()};
    at_once(entries_, all, [&](Entry& entry) {
        if (auto done = entry.writer->prepare(context, {Monotonic::now() + entry.limit, &interrupt_}); !done) entry.error = std::move(done).error();
    });
    auto prepared = settle(all, context);
    if (interrupt_.raised()) prepared = cancelled();
    if (prepared) return prepared;
    given_up_ = report();
    entries_.clear();
    return prepared;
}

Result<void> ConfiguredWriters::keep_record(const WriterContext& context, std::size_t count) {
    if (settings_.record_directory.empty()) return {};
    if (!record_) {
        auto record = WriterRecord::create(settings_.record_directory, context);
        if (!record) return pass(record);
        record_.emplace(std::move(*record));
    }
    std::vector<WriterUndo> undos;
    for (std::size_t i = 0; i < count; ++i) {
        auto undo = entries_[i].writer->undo();
        if (undo.kind.empty() || entries_[i].out) continue;
        undo.limit = entries_[i].limit;
        undos.push_back(std::move(undo));
    }
    return record_->note(undos);
}

Result<void> ConfiguredWriters::freeze_group(Group group, const WriterContext& context) {
    if (interrupt_.raised()) return cancelled();
    // Before they begin: whatever happens to this process, they get their thaw.
    if (auto kept = keep_record(context, group.second); !kept) return kept;
    at_once(entries_, group, [&](Entry& entry) {
        if (entry.out) return;
        entry.begun = true;
        const auto start = Monotonic::now();
        if (auto done = entry.writer->freeze(context, {start + entry.limit, &interrupt_}); !done) entry.error = std::move(done).error();
        entry.report.freeze_ms = to_ms(Monotonic::now() - start);
    });
    auto settled = settle(group, context);
    // Whatever they say then follows from it.
    if (interrupt_.raised()) return cancelled();
    return settled;
}

Result<std::size_t> ConfiguredWriters::freeze(const WriterContext& context) {
    if (frozen_) return fail(ErrorKind::wrong_state, "the writers are frozen already");
    if (interrupt_.raised()) return cancelled();
    frozen_ = true;
    context_ = context;
    for (const auto& group : groups()) {
        auto frozen = freeze_group(group, context);
        if (frozen) continue;
        auto error = std::move(frozen).error();
        context_.aborted = true;
        error.undone = thaw(context_);
        return tl::unexpected<Error>(std::move(error));
    }
    return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.begun; }));
}

void ConfiguredWriters::thaw_one(Entry& entry, const WriterContext& context) {
    if (!std::exchange(entry.begun, false)) return;
    const auto start = Monotonic::now();
    if (auto thawed = entry.writer->thaw(context, start + entry.limit); !thawed) entry.error = std::move(thawed).error();
    entry.report.thaw_ms = to_ms(Monotonic::now() - start);
    entry.report.records = entry.writer->records();
}

std::vector<std::string> ConfiguredWriters::thaw(const WriterContext& context) {
    std::vector<std::string> failed;
    const auto all = groups();
    for (auto group = all.rbegin(); group != all.rend(); ++group) {
        at_once(entries_, *group, [&](Entry& entry) {
            const bool was_frozen = entry.begun && entry.report.error.empty();
            thaw_one(entry, context);
            entry.report.quiesced = entry.report.quiesced || (was_frozen && !entry.error);
        });
        for (auto i = group->first; i < group->second; ++i) {
            const auto error = std::exchange(entries_[i].error, std::nullopt);
            if (!error) continue;
            failed.push_back(error->message());
            auto& said = entries_[i].report.error;
            said += (said.empty() ? "" : "; ") + failed.back();
        }
    }
    record_.reset();
    // Also those that were only prepared: what a session holds open ends here.
    for (auto& entry : entries_) entry.writer.reset();
    frozen_ = frozen_ || !entries_.empty();
    return failed;
}

std::vector<WriterReport> ConfiguredWriters::report() const {
    std::vector<WriterReport> all = given_up_;
    for (const auto& entry : entries_) all.push_back(entry.report);
    return all;
}

std::unique_ptr<Writers> make_configured_writers(WriterSettings settings) { return std::make_unique<ConfiguredWriters>(std::move(settings)); }

} // namespace quiesced
