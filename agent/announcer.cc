// SPDX-License-Identifier: LGPL-2.1-or-later
#include "announcer.h"

#include <systemd/sd-daemon.h>

#include <cmath>

#include "base/join.h"

namespace quiesced {
namespace {

std::string head(const SetId& set) { return "set " + set.text() + ": "; }

} // namespace

void Announcer::set_added(const std::shared_ptr<SnapshotSet>& set) {
    const std::string state(state_name(set->state()));
    log_event(Message::set_new, LogLevel::info, {.set = set->id().text(), .volume = {}, .state = state},
              head(set->id()) + state + " (" + joined(set->volumes()) + ")");
    next_.set_added(set);
    metrics_.changed();
}

void Announcer::set_abandoned(const SetId& set, const std::string& error) {
    if (error.empty())
        log_event(Message::set_undone, LogLevel::warning, {.set = set.text(), .volume = {}, .state = {}},
                  "set " + set.text() + " was lost or had failed; what was left of it is removed");
    else
        log_event(Message::set_not_undone, LogLevel::error, {.set = set.text(), .volume = {}, .state = {}},
                  "set " + set.text() + " was lost or has failed, and is not undone completely: " + error + ". It is tried again.");
    next_.set_abandoned(set, error);
}

void Announcer::set_removed(const SetId& set) {
    log_event(Message::set_removed, LogLevel::info, {.set = set.text(), .volume = {}, .state = {}}, head(set) + "removed");
    next_.set_removed(set);
    metrics_.changed();
}

void Announcer::set_not_rebuilt(const SetId& set, const std::string& reason) {
    log_event(Message::set_not_rebuilt, LogLevel::error, {.set = set.text(), .volume = {}, .state = {}},
              "set " + set.text() + " has snapshots and no manifest: " + reason);
    next_.set_not_rebuilt(set, reason);
}

void Announcer::set_noted(const SetId& set, const std::string& sentence) {
    log_event(Message::set_note, LogLevel::warning, {.set = set.text(), .volume = {}, .state = {}}, head(set) + sentence);
    next_.set_noted(set, sentence);
}

void Announcer::space_low(const SetId& set, const SpaceLevel& level) {
    const auto percent = std::to_string(std::lround(level.fill.percent));
    log_event(Message::space_low, LogLevel::warning, {.set = set.text(), .volume = level.fill.volume, .state = {}},
              head(set) + level.fill.name + " is " + percent + " % full (" + level.fill.kind + " of the snapshot of " + level.fill.volume + ")");
    next_.space_low(set, level);
}

void Announcer::space_extended(const SetId& set, const Fill& fill, const Extension& extension) {
    log_event(Message::space_extended, LogLevel::warning, {.set = set.text(), .volume = fill.volume, .state = {}},
              head(set) + fill.name + " was " + std::to_string(std::lround(fill.percent)) + " % full and is extended from " + extension.from.text() + " to " +
                  extension.to.text() + " (" + fill.kind + " of the snapshot of " + fill.volume + ")");
    next_.space_extended(set, fill, extension);
}

void Announcer::space_not_extended(const SetId& set, const Fill& fill, const std::string& reason) {
    log_event(Message::space_not_extended, LogLevel::error, {.set = set.text(), .volume = fill.volume, .state = {}},
              head(set) + fill.name + " is " + std::to_string(std::lround(fill.percent)) + " % full and cannot be extended: " + reason);
    next_.space_not_extended(set, fill, reason);
}

void Announcer::set_reverted(const SetId& set, const Manifest& manifest) {
    for (const auto& member : manifest.members) {
        const bool done = member.revert == kRevertDone;
        if (!done && member.revert != kRevertPending) continue;
        log_event(done ? Message::put_back : Message::put_back_later, LogLevel::warning, {.set = set.text(), .volume = member.volume, .state = {}},
                  head(set) + member.volume + (done ? " is put back to its snapshot" : " is in use, and is put back to its snapshot when it is activated the next time"));
    }
    next_.set_reverted(set, manifest);
    metrics_.changed();
}

void Announcer::revert_cut_off(const SetId& set, const RevertNews& news) {
    const auto message = news.kind == RevertNews::Kind::not_begun ? Message::revert_not_begun
                         : news.kind == RevertNews::Kind::goes_on ? Message::revert_goes_on
                                                                  : Message::revert_interrupted;
    const auto level = news.kind == RevertNews::Kind::interrupted ? LogLevel::error : LogLevel::warning;
    log_event(message, level, {.set = set.text(), .volume = {}, .state = {}}, head(set) + news.sentence);
    next_.revert_cut_off(set, news);
}

void Announcer::snapshot_lost(const SetId& set, const Fill& fill) {
    log_event(Message::snapshot_lost, LogLevel::error, {.set = set.text(), .volume = fill.volume, .state = {}},
              head(set) + "the snapshot of " + fill.volume + " is lost: " + fill.lost);
    next_.snapshot_lost(set, fill);
    metrics_.changed();
}

void Announcer::state_changed(const SetId& set, State state, const std::string& consistency, const std::string& error) {
    next_.state_changed(set, state, consistency, error);
    const LogFields fields{.set = set.text(), .volume = {}, .state = state_name(state)};
    if (state == State::failed)
        log_event(Message::set_failed, LogLevel::error, fields, head(set) + "failed: " + error);
    else
        log_event(Message::set_state, LogLevel::info, fields, head(set) + std::string(state_name(state)) + (consistency.empty() ? "" : ", consistency " + consistency));
    log_.wake();
    // Not on the set's thread: the service manager may be blocked on a frozen file system.
    notify_.post([text = "STATUS=Set " + set.text() + " is " + std::string(state_name(state)) + "."] { ::sd_notify(0, text.c_str()); });
    metrics_.state_changed(set, state);
}

} // namespace quiesced
