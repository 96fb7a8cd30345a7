// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "bus/sdbus_compat.h"
#include "sequence/snapshot_set.h"

namespace quiesced {

/// Ties a set to the bus connection of its requestor: aborts the set when that connection ends. Thread-safe.
class Binding {
public:
    /// From a handler on the bus's thread, before it is checked who the caller is: a caller that is gone by then fails that
    /// check, one that goes later is seen here. Throws sdbus::Error.
    static std::shared_ptr<Binding> to(sdbus::IConnection& connection, const std::string& caller);

    /// The set that the caller asked for; aborted at once when the caller is gone meanwhile.
    void attach(const std::shared_ptr<SnapshotSet>& set);

private:
    void caller_gone();
    std::mutex mutex_;
    bool gone_ = false;
    std::weak_ptr<SnapshotSet> set_;
    sdbus::Slot slot_; ///< last: no callback once the rest goes
};

} // namespace quiesced
