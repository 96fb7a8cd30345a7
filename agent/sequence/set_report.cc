// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/set_report.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>

#include "freeze/explain.h"
#include "sequence/state.h"

namespace quiesced {
namespace {

std::string utc_now() {
    const std::time_t now = ::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

double between_ms(std::int64_t from, std::int64_t to) { return to_ms(std::chrono::nanoseconds(to - from)); }

Monotonic::time_point at(std::int64_t ns) { return Monotonic::time_point(std::chrono::nanoseconds(ns)); }

/// First start and last end of a phase of all dm chains; false when there is none.
bool phase_span(const Record& record, StepPhase phase, std::int64_t& start, std::int64_t& end) {
    start = std::numeric_limits<std::int64_t>::max();
    end = 0;
    for (const auto& step : record.steps()) {
        if (step.phase != phase || step.started.load() == 0) continue;
        start = std::min(start, step.started.load());
        end = std::max(end, step.ended.load());
    }
    return end != 0;
}

bool accepted_foreign(const Record& record, const MemberSlot& slot) {
    return record.header().accept_foreign != 0 && slot.foreign.load() != 0;
}

} // namespace

FrozenSpan frozen_span(const Record& record) {
    FrozenSpan span;
    for (const auto& slot : record.members()) {
        span.last_frozen = std::max(span.last_frozen, slot.freeze_ended.load());
        // A freeze of somebody else is not thawed by us.
        if (const auto started = slot.thaw_started.load(); started != 0 && !accepted_foreign(record, slot)) span.first_thaw = std::min(span.first_thaw, started);
    }
    return span;
}

Manifest new_manifest(const SetId& id, const SetPlan& plan) {
    Manifest manifest;
    manifest.id = id.text();
    manifest.state = state_name(State::created);
    manifest.created = utc_now();
    utsname system{};
    if (::uname(&system) == 0) {
        manifest.host = system.nodename;
        manifest.kernel = system.release;
    }
    for (const auto& entry : plan.members) {
        ManifestMember member;
        member.volume = entry.volume.name;
        member.file_system = entry.volume.file_system;
        member.uuid = entry.volume.uuid;
        member.origin = entry.volume.device_path;
        member.placement = placement_name(entry.volume.placement);
        member.evidence = entry.volume.evidence;
        for (const auto& mount : entry.volume.mounts) {
            member.mount_points.push_back(mount.path);
            member.mount_roots.push_back(mount.root);
        }
        member.provider = entry.provider->name();
        manifest.members.push_back(std::move(member));
    }
    return manifest;
}

void report_window(Manifest& manifest, const Record& record, const Timeline& timeline) {
    const auto& header = record.header();
    const auto started = header.window_started.load();
    const auto slots = record.members();
    // Members come first in the record, in the manifest's order; carried ones follow.
    for (std::size_t i = 0; i < manifest.members.size() && i < slots.size(); ++i) {
        auto& member = manifest.members[i];
        const auto& slot = slots[i];
        if (slot.flush_ns.load() != 0) member.flush_ms = to_ms(std::chrono::nanoseconds(slot.flush_ns.load()));
        const auto freeze_started = slot.freeze_started.load();
        const auto freeze_ended = slot.freeze_ended.load();
        const auto thaw_started = slot.thaw_started.load();
        const auto thaw_ended = slot.thaw_ended.load();
        if (freeze_ended != 0) {
            member.freeze_ms = between_ms(freeze_started, freeze_ended);
            member.frozen_at_ms = between_ms(started, freeze_ended);
        }
        if (freeze_ended != 0 && thaw_started != 0) member.hold_ms = between_ms(freeze_ended, thaw_started);
        if (slot.flush_total_ns.load() != 0) member.flush_total_ms = to_ms(std::chrono::nanoseconds(slot.flush_total_ns.load()));
        if (const auto problem = explain_member(header, slot)) member.error = problem->message();
        member.foreign = slot.foreign.load() != 0;
        if (thaw_ended != 0) member.thaw_ms = between_ms(thaw_started, thaw_ended);
    }
    if (started == 0) return;
    if (const auto ended = header.window_ended.load(); ended != 0) manifest.window_ms = between_ms(started, ended);

    Timeline whole;
    for (const auto& span : timeline.spans()) whole.add(span.what, span.start, span.end);
    std::int64_t start = 0;
    std::int64_t end = 0;
    if (phase_span(record, StepPhase::prime, start, end)) whole.add("prime", at(start), at(end));
    if (phase_span(record, StepPhase::fire, start, end)) whole.add("fire", at(start), at(end));
    std::int64_t last_frozen = 0;
    std::int64_t first_thaw = std::numeric_limits<std::int64_t>::max();
    for (const auto& slot : slots) {
        last_frozen = std::max(last_frozen, slot.freeze_ended.load());
        if (slot.thaw_started.load() != 0) first_thaw = std::min(first_thaw, slot.thaw_started.load());
    }
    if (last_frozen != 0) whole.add("freeze", at(started), at(last_frozen));
    if (header.window_ended.load() != 0 && first_thaw != std::numeric_limits<std::int64_t>::max())
        whole.add("thaw", at(first_thaw), at(header.window_ended.load()));
    manifest.timeline = whole.relative_to(at(started));
}

std::string judge_window(Manifest& manifest, const Record& record, const std::vector<Timeline::Span>& commits) {
    const auto all_frozen = frozen_span(record);
    std::int64_t last_cut = 0;
    std::string reason;
    for (const auto& slot : record.members()) {
        const auto state = slot.state.load();
        const bool foreign = accepted_foreign(record, slot);
        const bool frozen = state == MemberState::frozen || state == MemberState::thawed || state == MemberState::thawing;
        if (slot.freeze_ended.load() == 0 || (!frozen && !foreign)) reason = std::string(slot.name) + " was not frozen";
    }
    const auto inside = [&](std::int64_t start, std::int64_t end) {
        last_cut = std::max(last_cut, end);
        return all_frozen.contains(start, end);
    };
    for (const auto& step : record.steps())
        if (step.phase == StepPhase::fire && (step.state.load() != StepState::done || !inside(step.started.load(), step.ended.load())))
            reason = std::string(record.chains()[step.chain].name) + " was not cut while everything was frozen";
    for (const auto& span : commits)
        if (!inside(span.start.time_since_epoch().count(), span.end.time_since_epoch().count()))
            reason = "the " + span.what + " was not answered while everything was frozen";

    manifest.consistency = reason.empty() ? "filesystem" : "crash";
    const auto slots = record.members();
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const bool foreign = accepted_foreign(record, slots[i]);
        // 0: it was not frozen any more when it was asked, or nobody asked: the deadline or the freezer's end came first.
        const bool doubtful = foreign && slots[i].foreign_until.load() < std::max<std::int64_t>(last_cut, 1);
        if (doubtful && reason.empty()) {
            manifest.consistency = "crash";
            manifest.notes.push_back(std::string(slots[i].name) + " was frozen by somebody else, and was not seen to be frozen after the last "
                                     "snapshot was cut: its snapshot may be torn");
        }
        if (i >= manifest.members.size()) continue; // carried along: its snapshot is in its carrier's
        manifest.members[i].foreign = foreign;
        manifest.members[i].consistency = reason.empty() && !doubtful ? "filesystem" : "crash";
    }
    return reason;
}

void note_writers(Manifest& manifest, const std::vector<WriterReport>& writers) {
    manifest.writers.clear();
    for (const auto& writer : writers)
        manifest.writers.push_back({.name = writer.name, .kind = writer.kind, .volumes = writer.volumes, .quiesced = writer.quiesced,
                                    .error = writer.error, .freeze_ms = writer.freeze_ms, .thaw_ms = writer.thaw_ms, .records = writer.records});
}

void report_writers(Manifest& manifest, const std::vector<WriterReport>& writers) {
    note_writers(manifest, writers);
    const auto is_application = [&](const ManifestMember& member) {
        bool raised = false;
        for (const auto& writer : writers) {
            if (std::find(writer.volumes.begin(), writer.volumes.end(), member.volume) == writer.volumes.end()) continue;
            if (!writer.quiesced) return false;
            raised = raised || writer.raises;
        }
        return raised;
    };
    for (auto& member : manifest.members)
        if (member.consistency == "filesystem" && is_application(member)) member.consistency = "application";
    const auto good = [](const ManifestMember& member) { return member.consistency == "application"; };
    if (manifest.consistency == "filesystem" && std::all_of(manifest.members.begin(), manifest.members.end(), good)) manifest.consistency = "application";
}

} // namespace quiesced
