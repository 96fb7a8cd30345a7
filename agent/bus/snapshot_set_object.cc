// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/snapshot_set_object.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "bus/jobs.h"
#include "bus/permit.h"
#include "snapshot/manifest.h"

namespace quiesced {

SnapshotSetObject::SnapshotSetObject(BusContext& context, std::shared_ptr<SnapshotSet> set)
    : AdaptorInterfaces(context.connection, sdbus::ObjectPath(set_path(set->id()))), context_(context), set_(std::move(set)) {
    registerAdaptor();
}

SnapshotSetObject::~SnapshotSetObject() { unregisterAdaptor(); }

void SnapshotSetObject::emit_state(quiesced::State state, const std::string& error, const std::vector<std::string>& stuck) {
    try {
        Dict details;
        if (!error.empty()) details.emplace("error", sdbus::Variant(utf8(error)));
        if (!stuck.empty()) {
            std::vector<std::string> names;
            for (const auto& name : stuck) names.push_back(utf8(name));
            details.emplace("stuck", sdbus::Variant(names));
        }
        emitStateChanged(std::string(state_name(state)), details);
        emit_properties_changed(getObject(), INTERFACE_NAME, {"State", "Consistency"});
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // The connection is lost; the loop says so.
    }
}

void SnapshotSetObject::emit_space_low(const SpaceLevel& level) {
    try {
        emitSpaceLow(utf8(level.fill.volume), level.level,
                     {{"kind", sdbus::Variant(level.fill.kind)}, {"name", sdbus::Variant(utf8(level.fill.name))}, {"percent", sdbus::Variant(level.fill.percent)}});
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // As above.
    }
}

void SnapshotSetObject::emit_extended(const Fill& fill, const Extension& extension) {
    try {
        emitSpaceExtended(utf8(fill.volume), {{"kind", sdbus::Variant(fill.kind)}, {"name", sdbus::Variant(utf8(fill.name))}, {"percent", sdbus::Variant(fill.percent)},
                                              {"from", sdbus::Variant(extension.from.count)}, {"to", sdbus::Variant(extension.to.count)}});
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // As above.
    }
}

void SnapshotSetObject::emit_consistency() {
    try {
        emit_properties_changed(getObject(), INTERFACE_NAME, {"Consistency"});
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // As above.
    }
}

void SnapshotSetObject::emit_lost(const Fill& fill) {
    try {
        emitSnapshotLost(utf8(fill.volume), utf8(fill.lost), {});
        emit_properties_changed(getObject(), INTERFACE_NAME, {"Consistency"});
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // As above.
    }
}

void SnapshotSetObject::emit_progress(const SetProgress& progress) {
    try {
        emitProgress(progress.step, utf8(progress.member), progress.done, progress.total, {});
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // As above.
    }
}

void SnapshotSetObject::run(Step step, sdbus::Result<>&& result, const Dict& options) {
    const Reply<> reply(std::move(result), calls_);
    Permit permit{.action = Action::snapshot};
    // Whoever has frozen something can always thaw it.
    if (step == Step::thaw || step == Step::abort) permit.owner = owner();
    when_permitted(context_, getObject(), reply, options, permit, [&events = context_.events, step, reply, set = set_](const Caller&) {
        // Answered behind the signals of the step.
        set->post(step, [&events, reply](const Result<void>& outcome) {
            events.post([reply, outcome] { outcome ? reply.values() : reply.error(outcome.error()); });
        });
    });
}

void SnapshotSetObject::run_for_manifest(Step step, sdbus::Result<std::string>&& result, const Dict& options) {
    const Reply<std::string> reply(std::move(result), calls_);
    when_permitted(context_, getObject(), reply, options, {.action = Action::snapshot}, [&events = context_.events, step, reply, set = set_](const Caller&) {
        // The set waits for its threads before it ends, so that it is there when this is called on one of them.
        set->post(step, [&events, reply, &taken = *set](const Result<void>& outcome) {
            if (!outcome) return events.post([reply, error = outcome.error()] { reply.error(error); });
            events.post([reply, manifest = utf8(manifest_to_json(taken.describe()))] { reply.values(manifest); });
        });
    });
}

void SnapshotSetObject::KeepAlive(sdbus::Result<std::uint32_t>&& result, Dict options) {
    const Reply<std::uint32_t> reply(std::move(result), calls_);
    when_permitted(context_, getObject(), reply, options, {.action = Action::snapshot, .owner = owner()},
                   [&urgent = context_.urgent, reply, set = set_](const Caller&) {
        urgent.post([reply, set] {
            const auto remaining = set->keep_alive();
            if (!remaining) return reply.error(remaining.error());
            constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
            reply.values(static_cast<std::uint32_t>(std::clamp<std::int64_t>(remaining->count(), 0, most)));
        });
    });
}

void SnapshotSetObject::Hold(sdbus::Result<sdbus::UnixFd>&& result, Dict options) {
    const Reply<sdbus::UnixFd> reply(std::move(result), calls_);
    when_permitted(context_, getObject(), reply, options, {.action = Action::snapshot, .owner = owner()},
                   [&holds = context_.holds, reply, set = set_](const Caller&) {
        auto handle = holds.hold(set);
        if (!handle) return reply.error(handle.error());
        reply.values(sdbus::UnixFd(handle->release(), sdbus::adopt_fd));
    });
}

void SnapshotSetObject::ReportHostSnapshot(sdbus::Result<>&& result, std::string member, std::string reference, Dict options) {
    const Reply<> reply(std::move(result), calls_);
    // All is frozen meanwhile.
    when_permitted(context_, getObject(), reply, options, {.action = Action::snapshot, .options = {}, .owner = owner()},
                   [&urgent = context_.urgent, reply, set = set_, member = std::move(member), reference = std::move(reference)](const Caller&) {
        urgent.post([reply, set, member, reference] {
            const auto noted = set->report_host_snapshot(member, reference);
            noted ? reply.values() : reply.error(noted.error());
        });
    });
}

void SnapshotSetObject::Delete(sdbus::Result<>&& result, Dict options) {
    const Reply<> reply(std::move(result), calls_);
    when_permitted(context_, getObject(), reply, options, {.action = Action::remove}, [&context = context_, reply, set = set_](const Caller&) {
        set->post(Step::remove, [&context, reply, id = set->id()](const Result<void>& outcome) {
            // The set cannot be forgotten on its own thread.
            context.events.post([&context, reply, id, outcome] {
                if (!outcome) return reply.error(outcome.error());
                context.manager.forget(id);
                // Behind the event that takes the object from the bus.
                context.events.post([reply] { reply.values(); });
            });
        });
    });
}

namespace {

/// On the events thread, as `over` is, which gets what became of it and the set's manifest then. The job's path. Errors: limit.
Result<sdbus::ObjectPath> begin_revert(BusContext& context, const std::shared_ptr<SnapshotSet>& set, const std::vector<std::string>& members,
                                       const std::function<void(const Result<void>&, const std::string&)>& over) {
    if (context.jobs == nullptr) return fail(ErrorKind::lost, "quiesced is stopping");
    auto job = context.jobs->begin({.kind = "revert", .set = set->id(), .members = members});
    if (!job) return pass(job);
    context.manager.revert(
        set, members,
        // The set waits for its threads before it ends, so that it is there when this is called on one of them.
        [&events = context.events, finished = job->finished, over, &reverted = *set](const Result<void>& outcome) {
            events.post([finished, over, outcome, manifest = utf8(manifest_to_json(reverted.describe()))] {
                finished(outcome);
                if (over) over(outcome, manifest);
            });
        },
        job->watch);
    return job->path;
}

} // namespace

void SnapshotSetObject::Revert(sdbus::Result<std::string>&& result, std::vector<std::string> members, Dict options) {
    const Reply<std::string> reply(std::move(result), calls_);
    when_permitted(context_, getObject(), reply, options, {.action = Action::revert},
                   [&context = context_, reply, set = set_, members = std::move(members)](const Caller&) {
        context.events.post([&context, reply, set, members] {
            const auto begun = begin_revert(context, set, members, [reply](const Result<void>& outcome, const std::string& manifest) {
                outcome ? reply.values(manifest) : reply.error(outcome.error());
            });
            if (!begun) reply.error(begun.error());
        });
    });
}

void SnapshotSetObject::StartRevert(sdbus::Result<sdbus::ObjectPath>&& result, std::vector<std::string> members, Dict options) {
    const Reply<sdbus::ObjectPath> reply(std::move(result), calls_);
    when_permitted(context_, getObject(), reply, options, {.action = Action::revert},
                   [&context = context_, reply, set = set_, members = std::move(members)](const Caller&) {
        context.events.post([&context, reply, set, members] {
            const auto begun = begin_revert(context, set, members, {});
            begun ? reply.values(*begun) : reply.error(begun.error());
        });
    });
}

void SnapshotSetObject::Describe(sdbus::Result<std::string>&& result, Dict options) {
    const Reply<std::string> reply(std::move(result), calls_);
    when_permitted(context_, getObject(), reply, options, {.action = Action::inspect}, [reply, set = set_](const Caller&) {
        const auto answer = [reply](const SnapshotSet& described) { reply.values(utf8(manifest_to_json(described.describe()))); };
        if (!set->merge_pending()) return answer(*set);
        // One that is merged when it is activated may have been meanwhile; what is known is told if that cannot be found out.
        set->refresh_merges([answer, &described = *set](const Result<void>&) { answer(described); });
    });
}

std::vector<std::string> SnapshotSetObject::Volumes() {
    auto names = set_->volumes();
    for (auto& name : names) name = utf8(name);
    return names;
}

} // namespace quiesced
