// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/binding.h"

namespace quiesced {
namespace {

void abort_set(const std::weak_ptr<SnapshotSet>& weak) {
    // A complete set refuses it: it stays.
    if (const auto set = weak.lock()) set->post(Step::abort, [](const Result<void>&) {});
}

} // namespace

std::shared_ptr<Binding> Binding::to(sdbus::IConnection& connection, const std::string& caller) {
    auto binding = std::make_shared<Binding>();
    // One match for this caller alone: the daemon is not woken by every other client that leaves the bus.
    binding->slot_ = bus_match(connection,
                               "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                               "member='NameOwnerChanged',arg0='" + caller + "',arg2=''",
                               // The bus's lock is held in a callback and taken to give up a match, so that this
                               // never runs on a binding that is gone.
                               [self = binding.get()] { self->caller_gone(); });
    return binding;
}

void Binding::attach(const std::shared_ptr<SnapshotSet>& set) {
    const std::lock_guard lock(mutex_);
    set_ = set;
    if (gone_) abort_set(set_);
}

void Binding::caller_gone() {
    const std::lock_guard lock(mutex_);
    gone_ = true;
    abort_set(set_);
}

} // namespace quiesced
