// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "snapshot/dm_events.h"
#include "snapshot/fill.h"

namespace quiesced {

/// A level that a fill has reached.
struct SpaceLevel {
    Fill fill;
    unsigned level = 0; ///< percent: 80, 90, 95
};

/// Tells which fills have reached a new level, and when to look again. Not thread-safe.
class FillLevels {
public:
    /// Of one set. A level is told once, the highest alone where several are reached at once; again after the fill was below it.
    std::vector<SpaceLevel> update(const SetId& set, const std::vector<Fill>& fills, Monotonic::time_point now);
    void forget(const SetId& set);

    /// How long nothing needs to be looked at: half the time to the next level at the speed of the last look, 1 s to 60 s. None
    /// when there is nothing to look at. `extend_at` is a level, too, and nothing is left alone for longer than 2 s then: the speed of
    /// the last look says nothing of a load that begins.
    [[nodiscard]] std::optional<std::chrono::milliseconds> pause(std::optional<unsigned> extend_at = std::nullopt) const;

private:
    struct Place {
        double percent = 0;
        double per_second = 0; ///< percent
        unsigned level = 0;    ///< that was told of
        Monotonic::time_point seen;
    };
    using Key = std::pair<std::string, std::string>; ///< kind and name
    std::map<SetId, std::map<Key, Place>> places_;
};

/// Watches the space of all complete sets, on a thread of its own. The kernel has events for a snapshot that is lost and for a pool
/// below its low water mark (dm-snap.c, dm-thin.c), none for the fill of a store: that is looked at in times that
/// follow its speed.
class SpaceWatch {
public:
    /// What it looks at and tells; called from its thread.
    struct Hooks {
        std::function<std::map<SetId, std::vector<Fill>>()> fills; ///< of the complete sets; nothing while a window is open
        std::function<void(const SetId&, const SpaceLevel&)> low;
        std::function<void(const SetId&, const Fill&)> lost; ///< each time that it is seen
        std::function<std::optional<unsigned>()> extend_at = {}; ///< percent from which on `extend` is called; none: never
        /// Makes a place larger; called at each look while it is so full. True: look again soon.
        std::function<bool(const SetId&, const Fill&)> extend = {};
    };
    SpaceWatch(Hooks hooks, std::unique_ptr<DmEvents> events);
    ~SpaceWatch();
    SpaceWatch(const SpaceWatch&) = delete;
    SpaceWatch& operator=(const SpaceWatch&) = delete;

    /// A set has come or gone: look now. Any thread.
    void look() { events_->wake(); }

private:
    void check();
    void extend_full(const SetId& set, const std::vector<Fill>& fills);

    Hooks hooks_;
    std::unique_ptr<DmEvents> events_;
    FillLevels levels_; ///< of the thread
    std::vector<SetId> known_; ///< of the thread
    std::optional<unsigned> extend_at_; ///< of the thread, as the two below
    std::set<std::pair<std::string, std::string>> extended_; ///< at this look: kind and name
    bool soon_ = false; ///< look again soon
    std::jthread thread_; ///< last: everything else is ready when it starts
};

} // namespace quiesced
